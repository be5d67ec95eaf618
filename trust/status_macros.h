// The two status macros of the project. abseil ships none in this version.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expr` from the enclosing function when it is not OK.
#define TL_RETURN_IF_ERROR(expr)                                               \
  do {                                                                         \
    if (absl::Status tl_status_ = (expr); !tl_status_.ok()) return tl_status_; \
  } while (false)

#define TL_STATUS_CONCAT_INNER_(a, b) a##b
#define TL_STATUS_CONCAT_(a, b) TL_STATUS_CONCAT_INNER_(a, b)
#define TL_ASSIGN_OR_RETURN_(tmp, lhs, expr)     \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)

// Evaluates a StatusOr and assigns its value to `lhs`, or returns its status.
#define TL_ASSIGN_OR_RETURN(lhs, expr) \
  TL_ASSIGN_OR_RETURN_(TL_STATUS_CONCAT_(tl_statusor_, __LINE__), lhs, expr)
