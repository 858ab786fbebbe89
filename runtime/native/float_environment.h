// The floating-point environment of the contract.
#pragma once

#include <cfenv>

namespace tfmbs {

// While it lives: round to nearest even, denormals kept, no traps, whatever another library left behind.
class FloatEnvironment {
 public:
  FloatEnvironment() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FloatEnvironment() { std::fesetenv(&saved_); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  std::fenv_t saved_;
};

}  // namespace tfmbs
