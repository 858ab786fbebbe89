#include "plan.h"

#include <algorithm>
#include <optional>

#include "checks.h"
#include "coverage.h"
#include "plan_launch.h"

namespace tfmbs {
namespace {

using abi::Kind;
using abi::NO_INDEX;
using abi::Region;

constexpr uint64_t MOST_WORDS = 1u << 18;         // of a launch that is looked at; programs beyond it stay whole
constexpr uint64_t MOST_WALKED = 1u << 24;        // words of an entry that are looked at
constexpr uint64_t MOST_LANES = 1u << 22;         // of an entry that are looked at one by one
constexpr uint64_t LEAST_GROUP_BYTES = 1u << 20;  // less than that stays in a cache anyway
constexpr uint32_t MOST_LAUNCHES = 8;             // of a group, each of which needs registers of its own
constexpr size_t LEAST_SHARED = 4;                // parts of a launch for which it is worth waking threads

class Planner {
 public:
  explicit Planner(const Image& image) : image_(image) {}

  Plan plan(const abi::Entry& entry) {
    std::vector<Known> run;
    for (uint32_t i = 0; i < entry.descriptor_count; ++i) {
      const Launch& launch = image_.launches()[entry.first_descriptor + i];
      std::optional<Known> known = look_at(launch);
      if (!known || run.size() == MOST_LAUNCHES) {
        close(run, i);
        run.clear();
      }
      if (known) run.push_back(std::move(*known));
    }
    close(run, entry.descriptor_count);
    plan_.written = coverage_.written();
    return std::move(plan_);
  }

 private:
  const abi::Tensor& tensor(uint32_t index, const Launch& launch) const { return image_.tensor(index, launch.name); }

  // What the launch accesses goes into the coverage; nothing comes back where parts of it cannot be told apart.
  std::optional<Known> look_at(const Launch& launch) {
    const abi::Descriptor& record = launch.record;
    if (record.kind == Kind::VECTOR) {
      // A stream runs whole.
      if (std::optional<Known> known = look_into(launch))
        return launch.program->stream ? std::nullopt : std::move(known);
    }
    for (const uint32_t index : {record.lhs, record.rhs})
      if (index != NO_INDEX) read(tensor(index, launch));
    if (lists_operands(record.kind))
      for (const uint32_t index : launch.args) read(tensor(index, launch));
    if (launch.program) {
      for (const WindowUse& use : launch.program->uses)
        if (!use.writes) read(tensor(launch.args[use.window], launch));
      if (record.kind == Kind::VECTOR) cover_stores(launch);
    }
    if (record.out != NO_INDEX) {
      const abi::Tensor& out = tensor(record.out, launch);
      if (out.region == Region::OUTPUT) coverage_.write(out.slot, out.offset, out.bytes);
    }
    return std::nullopt;
  }

  void read(const abi::Tensor& tensor) {
    if (tensor.region == Region::OUTPUT) coverage_.read(tensor.slot, tensor.offset, tensor.bytes);
  }

  std::optional<Known> look_into(const Launch& launch) {
    // It is walked twice.
    const uint64_t limit = std::min(MOST_WORDS, launch.program->max_steps);
    if (walked_ + 2 * limit > MOST_WALKED) return std::nullopt;
    uint64_t words = 0;
    std::optional<Known> known =
        known_of(*launch.program, Windows(image_, launch), limit, words,
                 [this](const Access& access, const abi::Tensor& window) { cover(access, window); });
    walked_ += words;
    return known;
  }

  // Of a program whose loads depend on operands.
  void cover_stores(const Launch& launch) {
    const uint64_t limit = std::min(MOST_WORDS, launch.program->max_steps);
    if (walked_ + 2 * limit > MOST_WALKED) return;
    const Windows windows(image_, launch);
    Visitor nobody;
    Walk walk, again;
    const bool whole = walk_stores(*launch.program, windows.elements, limit, walk, nobody);
    walked_ += 2 * walk.words;
    Cover cover{*this, windows};
    if (whole) walk_stores(*launch.program, windows.elements, limit, again, cover);
  }
  class Cover : public Visitor {
   public:
    Cover(Planner& planner, const Windows& windows) : planner_(planner), windows_(windows) {}
    void access(const Access& access, uint64_t, bool) override {
      planner_.cover(access, *windows_.tensors[access.window]);
    }

   private:
    Planner& planner_;
    const Windows& windows_;
  };

  void cover(const Access& access, const abi::Tensor& window) {
    if (window.region != Region::OUTPUT) return;
    const uint64_t size = element_bytes(window.dtype);
    const auto offset = [&](int64_t element) { return window.offset + static_cast<uint64_t>(element) * size; };
    const int64_t last = access.first + access.stride * (static_cast<int64_t>(access.lanes) - 1);
    const int64_t low = std::min(access.first, last), high = std::max(access.first, last);
    const uint64_t bytes = static_cast<uint64_t>(high - low + 1) * size;
    const bool dense = access.stride == 1 || access.lanes == 1;
    if (!access.writes) return coverage_.read(window.slot, offset(low), bytes);
    if (dense) return coverage_.write(window.slot, offset(low), bytes);
    if (lanes_ + access.lanes > MOST_LANES) return;
    lanes_ += access.lanes;
    for (uint32_t i = 0; i < access.lanes; ++i)
      coverage_.write(window.slot, offset(access.first + access.stride * i), size);
  }

  // Makes groups of the launches before `end`: one where their parts come between each other, else of those each that
  // threads can share.
  void close(const std::vector<Known>& run, uint32_t end) {
    if (run.empty()) return;
    const uint32_t first = end - static_cast<uint32_t>(run.size());
    uint64_t bytes = 0;
    for (const Known& known : run) bytes += known.bytes;
    if (run.size() > 1 && bytes >= LEAST_GROUP_BYTES) {
      Group group = group_of(run.data(), first, static_cast<uint32_t>(run.size()));
      uint32_t changes = 0;
      for (size_t i = 1; i < group.parts.size(); ++i) changes += group.parts[i].launch != group.parts[i - 1].launch;
      if (changes >= run.size()) return plan_.groups.push_back(std::move(group));
    }
    for (uint32_t i = 0; i < run.size(); ++i) {
      if (run[i].parts.size() < LEAST_SHARED) continue;
      Group group = group_of(&run[i], first + i, 1);
      if (group.spreads) plan_.groups.push_back(std::move(group));
    }
  }

  static Group group_of(const Known* known, uint32_t first, uint32_t count) {
    Group group{first, count, 0, {}, {}, false};
    std::vector<Parts> parts;
    std::vector<uint32_t> apart(count);  // windows of their own, as bits
    for (uint32_t launch = 0; launch < count; ++launch) {
      group.words += known[launch].walk.words;
      parts.push_back(known[launch].parts);
      for (const auto& [window, size] : known[launch].own) {
        apart[launch] |= uint32_t{1} << window;
        group.own.push_back({launch, window, size});
      }
    }
    std::vector<Spans> spans;  // of the parts of the group
    std::vector<size_t> done(count);
    for (const uint32_t launch : interleaved(parts)) {
      const size_t number = done[launch]++;
      const uint64_t all = parts[launch].size(), turns = known[launch].walk.turns, before = number * turns / all;
      const uint64_t more = done[launch] == all ? TO_THE_END : done[launch] * turns / all - before;
      auto entrance = known[launch].entrances[number];
      // What depends on the part before it may as well go on where that ended.
      if (entrance && meet(parts[launch][number - 1], parts[launch][number], apart[launch])) entrance = nullptr;
      group.spreads |= entrance != nullptr;
      if (!entrance && !group.parts.empty() && group.parts.back().launch == launch) {
        Group::Part& last = group.parts.back();
        last.turns = more == TO_THE_END ? TO_THE_END : last.turns + more;
        spans.back().insert(spans.back().end(), parts[launch][number].begin(), parts[launch][number].end());
        continue;
      }
      group.parts.push_back({launch, more, {}, std::move(entrance)});
      spans.push_back(parts[launch][number]);
    }
    for (uint32_t part = 1; part < group.parts.size(); ++part) find_waits(group, spans, apart, part);
    return group;
  }

  static void find_waits(Group& group, const std::vector<Spans>& spans, const std::vector<uint32_t>& apart,
                         uint32_t part) {
    Group::Part& own = group.parts[part];
    bool goes_on = !own.entrance;
    for (uint32_t before = part; before--;) {
      const bool same = group.parts[before].launch == own.launch;
      if ((same && goes_on) || meet(spans[before], spans[part], same ? apart[own.launch] : 0))
        own.waits.push_back(before);
      goes_on &= !same;
    }
  }

  const Image& image_;
  Plan plan_;
  Coverage coverage_;
  uint64_t lanes_ = 0, walked_ = 0;
};

}  // namespace

Plan plan_of(const Image& image, const abi::Entry& entry) { return Planner(image).plan(entry); }

}  // namespace tfmbs
