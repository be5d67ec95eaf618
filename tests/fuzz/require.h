// What every fuzz target shares: properties whose failure is a finding, like a crash.
#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the fuzzer with the property that does not hold; the input is kept by libFuzzer.
#define FUZZ_REQUIRE(condition)                                                           \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)
