// A Kea DHCPv4 configuration as far as option 150 goes: which scopes there are, what each sets, and
// the same text with one of them changed. Only the bytes of that value change. Source: Kea
// Administrator Reference Manual 2.2, "Standard DHCPv4 Options", "Custom DHCPv4 Options", "Host
// Reservations". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/dhcp/kea_json.h"
#include "trust/dhcp_message.h"

namespace trustline::agent {

// Whom a value is for.
struct KeaScope {
  enum class Type { kGlobal, kSubnet, kReservation };
  Type type = Type::kGlobal;
  std::string key;  // "10.30.0.0/24", or a MAC address in any of Kea's spellings; empty for global
};

// What one scope sets itself.
struct KeaPointer {
  std::vector<uint32_t> addresses;  // host byte order, in order; empty: it sets nothing, or nothing
                                    // that can be read as addresses
  std::string text;  // "10.20.0.11, 10.20.0.12"; what stands there when it is no list of addresses;
                     // empty: it sets nothing
};

// A narrower scope that sets option 150 itself.
struct KeaNarrowerScope {
  std::string name;  // "pool 10.30.0.10-10.30.0.99 of subnet 10.30.0.0/24"
  KeaPointer pointer;
};

// What clients of a scope are given, whichever scope around it sets it.
struct KeaServed {
  KeaPointer pointer;
  std::optional<std::string> subnet_to_ask;  // as SubnetToAsk, of the scope whose value it is
};

// Immutable; safe for concurrent use.
class KeaConfig {
 public:
  // A configuration file, or the arguments of config-get. Errors as ParseKeaJson; InvalidArgument
  // also when there is no Dhcp4 map.
  static absl::StatusOr<KeaConfig> Parse(std::string text);

  const std::string& text() const { return text_; }
  const KeaValue& dhcp4() const { return *root_.Find("Dhcp4"); }
  // The configuration as Kea's control channel takes it: plain JSON, and with every "comment" where
  // the reader of files would put it, in the user context; over the control channel Kea knows no
  // such name.
  std::string WireJson() const;

  // NotFound: there is no such scope; the message names those there are. FailedPrecondition: the
  // scope stands there twice, or sets option 150 twice.
  absl::StatusOr<KeaPointer> Pointer(const KeaScope& scope) const;

  // The text with the scope's option 150 set to `addresses`. Errors as Pointer; FailedPrecondition
  // when the configuration defines option 150 as something that cannot hold these addresses.
  absl::StatusOr<std::string> WithPointer(const KeaScope& scope,
                                          const std::vector<uint32_t>& addresses) const;

  // Every scope inside `scope` that sets option 150 itself, so that its clients do not get the
  // scope's value. Kea's order: reservation, pool, subnet, shared network, class, global.
  std::vector<KeaNarrowerScope> NarrowerThan(const KeaScope& scope) const;

  // Where on the wire the scope's value can be seen: its subnet. Empty: in any subnet (global, or a
  // global reservation). nullopt: nowhere, as every subnet sets a value itself, or there is no such
  // scope.
  std::optional<std::string> SubnetToAsk(const KeaScope& scope) const;

  // The scope's own value, else that of its subnet, shared network, or the global one; classes are
  // left out, as nobody knows who is in them. Errors as Pointer.
  absl::StatusOr<KeaServed> Served(const KeaScope& scope) const;

  // The code of a dhcp4 option that this configuration itself defines.
  std::optional<int> CodeOf(absl::string_view option_name) const;

 private:
  struct Definition {
    std::string name, type;
    bool array = false;
  };
  struct Place {  // a scope found in the text
    const KeaValue* map = nullptr;
    std::string subnet;  // the subnet it lies in; empty for global ones
  };

  KeaConfig(std::string text, KeaValue root);
  absl::StatusOr<Place> Find(const KeaScope& scope) const;
  // The option-data element for option 150 of a scope; nullptr: none.
  absl::StatusOr<const KeaValue*> Entry(const KeaValue& scope) const;
  KeaPointer Read(const KeaValue& entry) const;
  // What `scope` sets, if it does.
  std::optional<KeaPointer> Setting(const KeaValue& scope) const;
  const Definition* DefinitionFor(const KeaValue* entry) const;
  bool IsText(const KeaValue& entry) const;
  bool NamesOption150(const KeaValue& entry) const;

  std::string text_;
  KeaValue root_;
  std::vector<Definition> definitions_;  // of code 150
};

// "00:1b:54:aa:bb:01" from any spelling Kea takes (colons, dashes, blanks, none; any case); empty
// when it is not six bytes.
std::string NormalMac(absl::string_view text);
// Bytes from Kea's hexadecimal spellings ("0A4D", "0a:4d", "0a 4d", "0x0A4D") or quoted text
// ('abc'); nullopt when it is neither.
std::optional<std::string> KeaHexBytes(absl::string_view text);
// "10.20.0.11, 10.20.0.12"
std::string JoinIpv4(const std::vector<uint32_t>& addresses);

}  // namespace trustline::agent
