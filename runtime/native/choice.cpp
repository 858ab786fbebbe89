#include "choice.h"

#include <algorithm>
#include <bitset>
#include <vector>

#include "error.h"

namespace tfmbs {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error("device", "emulator", what); }

size_t family_named(const std::string& name) {
  const auto found = std::find(FAMILIES.begin(), FAMILIES.end(), name);
  if (found != FAMILIES.end()) return static_cast<size_t>(found - FAMILIES.begin());
  std::string known;
  for (const char* family : FAMILIES) known += (known.empty() ? "" : ", ") + std::string(family);
  refuse("kernel family '" + name + "' is unknown, expected one of " + known);
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

}  // namespace

Family family_of(abi::Kind kind, bool integer) {
  switch (kind) {
    case abi::Kind::GEMM:
    case abi::Kind::GEMV: return integer ? Family::INT8 : Family::F32;
    case abi::Kind::GROUP_GEMM: return Family::GROUPS;
    case abi::Kind::CONV2D:
    case abi::Kind::CONV3D: return integer ? Family::CONV_INT8 : Family::CONV_F32;
    case abi::Kind::POOL: return Family::POOL;
    case abi::Kind::ATTENTION: return Family::ATTENTION;
    case abi::Kind::LSTM: return Family::LSTM;
    case abi::Kind::COPY:
    case abi::Kind::VECTOR: break;
  }
  return Family::VECTOR;
}

Choice::Choice(const std::string& text) : all_(&kernels("")) {
  std::bitset<FAMILIES.size()> chosen;
  const std::vector<std::string> parts = parts_of(text);
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals == std::string::npos) {
      if (i) refuse("'" + parts[i] + "' stands behind the instruction set for all, expected FAMILY=SET");
      all_ = &kernels(parts[i]);
    }
    if (!i) sets_.fill(all_);
    if (equals == std::string::npos) continue;
    const std::string name = parts[i].substr(0, equals), set = parts[i].substr(equals + 1);
    const size_t family = family_named(name);
    if (chosen[family]) refuse("kernel family '" + name + "' has an instruction set already");
    if (set.empty()) refuse("kernel family '" + name + "' has no instruction set");
    chosen.set(family);
    sets_[family] = &kernels(set);
  }
}

std::string Choice::text() const {
  std::string text = all_->name;
  for (size_t i = 0; i < sets_.size(); ++i)
    if (sets_[i] != all_) text += "," + std::string(FAMILIES[i]) + "=" + sets_[i]->name;
  return text;
}

}  // namespace tfmbs
