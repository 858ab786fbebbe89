// The instruction sets that launches run on: the fastest one, or what a text says for all of them or by family.
#pragma once

#include <array>
#include <string>

#include "abi.gen.h"
#include "kernels.h"

namespace tfmbs {

// Launches whose kernels are chosen together. VECTOR is all vector code, epilogues among it.
enum class Family : uint8_t { TRITS, GROUPS, INT8, F32, CONV_INT8, CONV_F32, POOL, ATTENTION, LSTM, VECTOR };
constexpr std::array<const char*, 10> FAMILIES = {"trits",    "groups", "int8",      "f32",  "conv-int8",
                                                  "conv-f32", "pool",   "attention", "lstm", "vector"};

// Of a launch whose weights are not rows of trits; `integer`: it multiplies or compares integers.
Family family_of(abi::Kind kind, bool integer);

class Choice {
 public:
  // "SET", or "FAMILY=SET" for some families, separated by commas, or both. Without a SET for all, and for "", the
  // others run on the fastest one. Throws Error for what does not exist here.
  explicit Choice(const std::string& text);

  const Kernels& all() const { return *all_; }
  const Kernels& of(Family family) const { return *sets_[static_cast<size_t>(family)]; }
  // As the constructor takes it: the set for all, then the families that have another one.
  std::string text() const;
  friend bool operator==(const Choice& a, const Choice& b) { return a.sets_ == b.sets_; }
  friend bool operator!=(const Choice& a, const Choice& b) { return !(a == b); }

 private:
  const Kernels* all_;
  std::array<const Kernels*, FAMILIES.size()> sets_;
};

}  // namespace tfmbs
