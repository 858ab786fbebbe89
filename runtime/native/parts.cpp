#include "parts.h"

#include <algorithm>

namespace tfmbs {
namespace {

// How many parts of an earlier launch come before this part of a later one.
size_t needed(const Parts& earlier, const Spans& part) {
  size_t count = earlier.size();
  while (count && !meet(earlier[count - 1], part)) --count;
  return count;
}

class Interleaver {
 public:
  explicit Interleaver(const std::vector<Parts>& launches) : launches_(launches), states_(launches.size()) {
    for (size_t launch = 0; launch < launches.size(); ++launch) look_ahead(launch);
  }

  std::vector<uint32_t> order() {
    std::vector<uint32_t> result;
    for (size_t launch = launches_.size(); launch--;) {
      if (!is_ready(launch)) continue;
      result.push_back(static_cast<uint32_t>(launch));
      ++states_[launch].done;
      look_ahead(launch);
      launch = launches_.size();
    }
    return result;
  }

 private:
  struct State {
    size_t done = 0;
    std::vector<size_t> needs;  // parts of the launches before it, for its next part
  };

  void look_ahead(size_t launch) {
    State& state = states_[launch];
    state.needs.clear();
    if (state.done == launches_[launch].size()) return;
    for (size_t before = 0; before < launch; ++before)
      state.needs.push_back(needed(launches_[before], launches_[launch][state.done]));
  }

  bool is_ready(size_t launch) const {
    const State& state = states_[launch];
    if (state.done == launches_[launch].size()) return false;
    for (size_t before = 0; before < launch; ++before)
      if (states_[before].done < state.needs[before]) return false;
    return true;
  }

  const std::vector<Parts>& launches_;
  std::vector<State> states_;
};

}  // namespace

bool meet(const Spans& one, const Spans& other, uint32_t apart) {
  for (const Span& a : one)
    for (const Span& b : other)
      if (a.memory == b.memory && (a.writes || b.writes) && a.low < b.end && b.low < a.end &&
          !(apart >> a.window & apart >> b.window & 1u))
        return true;
  return false;
}

std::vector<uint32_t> interleaved(const std::vector<Parts>& launches) { return Interleaver(launches).order(); }

}  // namespace tfmbs
