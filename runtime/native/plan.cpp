#include "plan.h"

#include <algorithm>
#include <optional>

#include "checks.h"
#include "coverage.h"
#include "parts.h"
#include "siw_walk.h"

namespace tfmbs {
namespace {

using abi::Kind;
using abi::NO_INDEX;
using abi::Region;

constexpr uint64_t MOST_WORDS = 1u << 18;         // of a launch that is looked at; programs beyond it stay whole
constexpr uint64_t MOST_WALKED = 1u << 24;        // words of an entry that are looked at
constexpr uint64_t MOST_LANES = 1u << 22;         // of an entry that are looked at one by one
constexpr uint64_t MOST_PARTS = 64;               // of a launch
constexpr uint64_t PART_BYTES = 1u << 16;         // of its largest window that a part accesses
constexpr uint64_t LEAST_GROUP_BYTES = 1u << 20;  // less than that stays in a cache anyway
constexpr uint32_t MOST_LAUNCHES = 8;             // of a group, each of which needs registers of its own

// A vector program whose accesses are known.
struct Known {
  Walk walk;
  uint64_t bytes = 0;  // of its windows
  Parts parts;
};

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
      if (std::optional<Known> known = look_into(launch)) return known;
    }
    for (const uint32_t index : {record.lhs, record.rhs})
      if (index != NO_INDEX) read(tensor(index, launch));
    if (lists_operands(record.kind))
      for (const uint32_t index : launch.args) read(tensor(index, launch));
    if (launch.program) {
      for (const WindowUse& use : launch.program->uses)
        if (!use.writes) read(tensor(launch.args[use.window], launch));
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
    Known known;
    std::vector<uint64_t> elements(abi::WINDOWS);
    std::vector<const abi::Tensor*> windows(abi::WINDOWS);
    uint64_t largest = 0;
    for (const WindowUse& use : launch.program->uses) {
      const abi::Tensor& window = tensor(launch.args[use.window], launch);
      windows[use.window] = &window;
      elements[use.window] = element_count(window, launch.name);
      largest = std::max(largest, window.bytes);
    }
    for (const abi::Tensor* window : windows) known.bytes += window ? window->bytes : 0;
    // It is walked twice.
    const uint64_t limit = std::min(MOST_WORDS, launch.program->max_steps);
    if (walked_ + 2 * limit > MOST_WALKED) return std::nullopt;
    const bool whole = walk(*launch.program, elements, limit, known.walk, [](const Access&, uint64_t) {});
    walked_ += 2 * known.walk.words;
    if (!whole) return std::nullopt;

    const uint64_t wanted = std::clamp<uint64_t>(largest / PART_BYTES, 1, MOST_PARTS);
    const uint64_t parts = std::clamp<uint64_t>(known.walk.turns, 1, wanted), turns = known.walk.turns;
    known.parts.resize(parts);
    Walk again;
    walk(*launch.program, elements, limit, again, [&](const Access& access, uint64_t turn) {
      // Part p takes turns p * turns / parts to (p + 1) * turns / parts, and the last one what is behind.
      const uint64_t part = turns ? std::min(((turn + 1) * parts - 1) / turns, parts - 1) : 0;
      add(known.parts[part], access, *windows[access.window]);
    });
    return known;
  }

  void add(std::vector<Span>& spans, const Access& access, const abi::Tensor& window) {
    const uint64_t size = element_bytes(window.dtype);
    const int64_t last = access.first + access.stride * (static_cast<int64_t>(access.lanes) - 1);
    const uint64_t low = window.offset + static_cast<uint64_t>(std::min(access.first, last)) * size;
    const uint64_t end = window.offset + static_cast<uint64_t>(std::max(access.first, last) + 1) * size;
    const uint64_t memory = static_cast<uint64_t>(window.region) << 32 | window.slot;
    const auto found = std::find_if(spans.begin(), spans.end(), [&](const Span& span) {
      return span.window == access.window && span.writes == access.writes;
    });
    if (found == spans.end()) {
      spans.push_back({access.window, memory, low, end, access.writes});
    } else {
      found->low = std::min(found->low, low);
      found->end = std::max(found->end, end);
    }
    if (window.region == Region::OUTPUT) cover(access, window, low, end, size);
  }

  void cover(const Access& access, const abi::Tensor& window, uint64_t low, uint64_t end, uint64_t size) {
    const bool dense = access.stride == 1 || access.lanes == 1;
    if (!access.writes) return coverage_.read(window.slot, low, end - low);
    if (dense) return coverage_.write(window.slot, low, end - low);
    if (lanes_ + access.lanes > MOST_LANES) return;
    lanes_ += access.lanes;
    for (uint32_t i = 0; i < access.lanes; ++i) {
      const int64_t element = access.first + access.stride * i;
      coverage_.write(window.slot, window.offset + static_cast<uint64_t>(element) * size, size);
    }
  }

  // Makes a group of the launches before `end` where their parts come between each other.
  void close(const std::vector<Known>& run, uint32_t end) {
    uint64_t bytes = 0;
    for (const Known& known : run) bytes += known.bytes;
    if (run.size() < 2 || bytes < LEAST_GROUP_BYTES) return;
    Group group{end - static_cast<uint32_t>(run.size()), static_cast<uint32_t>(run.size()), 0, {}};
    std::vector<Parts> parts;
    for (const Known& known : run) {
      group.words += known.walk.words;
      parts.push_back(known.parts);
    }
    std::vector<uint64_t> done(run.size());
    for (const uint32_t launch : interleaved(parts)) {
      const uint64_t count = parts[launch].size(), turns = run[launch].walk.turns,
                     before = done[launch] * turns / count;
      const bool ends = ++done[launch] == count;
      const uint64_t more = ends ? TO_THE_END : done[launch] * turns / count - before;
      if (group.parts.empty() || group.parts.back().launch != launch) group.parts.push_back({launch, more});
      else if (ends) group.parts.back().turns = TO_THE_END;
      else group.parts.back().turns += more;
    }
    if (group.parts.size() > run.size()) plan_.groups.push_back(std::move(group));
  }

  const Image& image_;
  Plan plan_;
  Coverage coverage_;
  uint64_t lanes_ = 0, walked_ = 0;
};

}  // namespace

Plan plan_of(const Image& image, const abi::Entry& entry) { return Planner(image).plan(entry); }

}  // namespace tfmbs
