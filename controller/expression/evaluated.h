// What evaluating an expression gives, and where its names come from.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

struct ExpressionError {
  yaml::Span span;
  std::string message;
  bool undefined = false;               // a name or key that is not there: what `default` catches
  std::vector<yaml::Diagnostic> notes;  // from the inside out: where the broken variable was used

  void ReportTo(yaml::Diagnostics& diagnostics) const {
    diagnostics.Error(span, message);
    for (const yaml::Diagnostic& note : notes) diagnostics.Note(note.span, note.message);
  }
};

// A value or why there is none.
class Evaluated {
 public:
  Evaluated(yaml::Value value) : result_(std::move(value)) {}      // NOLINT: converts like StatusOr
  Evaluated(ExpressionError error) : result_(std::move(error)) {}  // NOLINT
  bool ok() const { return std::holds_alternative<yaml::Value>(result_); }
  const yaml::Value& value() const { return std::get<yaml::Value>(result_); }
  yaml::Value& value() { return std::get<yaml::Value>(result_); }
  const ExpressionError& error() const { return std::get<ExpressionError>(result_); }
  ExpressionError& error() { return std::get<ExpressionError>(result_); }

 private:
  std::variant<yaml::Value, ExpressionError> result_;
};

// The names an expression may use. Not safe for concurrent use: lookups remember what they
// evaluated.
class Environment {
 public:
  virtual ~Environment() = default;
  // The variable with its own templates evaluated; nullopt when there is none of that name. Never
  // called for `hostvars`.
  virtual std::optional<Evaluated> Find(const std::string& name) = 0;
  // For did-you-mean.
  virtual std::vector<std::string> Names() const = 0;
  // `hostvars[host]`: what is known of a host before any play; borrowed, lives as long as this.
  // nullptr for an unknown host.
  virtual Environment* Host(const std::string& host) = 0;
  virtual std::vector<std::string> HostNames() const = 0;
};

}  // namespace trustline::controller
