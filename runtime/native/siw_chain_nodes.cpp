#include "siw_chain_nodes.h"

#include <algorithm>

#include "siw_chain_collector.h"

namespace tfmbs {

using abi::DOp;
using abi::DType;

namespace {

void need(Nodes& nodes, int32_t node, bool exact) {
  if (node < 0) return;
  nodes.nodes[static_cast<size_t>(node)].is_used = true;
  nodes.nodes[static_cast<size_t>(node)].is_exact |= exact;
}
void need_sources(Nodes& nodes, const Node& node) {
  const bool keeps = node.op == DOp::SEL || node.op == DOp::NEG || node.op == DOp::ABS;
  for (unsigned i = 0; i < 3; ++i) {
    bool exact = node.type != DType::F32;
    if (node.op == DOp::CVT) exact = static_cast<DType>(node.aux) != DType::F32;
    if (keeps && (node.op == DOp::SEL || node.type == DType::F32))
      exact = node.is_exact || (node.op == DOp::SEL && i == 0);
    need(nodes, node.sources[i], exact);
  }
}

}  // namespace

void mark_used(Nodes& nodes) {
  auto& steps = nodes.steps;
  for (size_t i = steps.size(); i--;) {
    const Step& step = steps[i];
    if (step.kind != Step::Kind::COMPUTE) {
      const bool exact = step.kind != Step::Kind::SUM || nodes.sums[step.sum].type != DType::F32;
      need(nodes, step.node, exact);
    } else if (const Node& node = nodes.nodes[static_cast<size_t>(step.node)]; node.is_used) {
      need_sources(nodes, node);
    }
  }
  steps.erase(std::remove_if(steps.begin(), steps.end(),
                             [&](const Step& step) { return !nodes.nodes[static_cast<size_t>(step.node)].is_used; }),
              steps.end());
}

bool has_code(DOp op, DType type, uint8_t aux) {
  switch (op) {
    case DOp::MOV:
    case DOp::SEL: return true;
    case DOp::ADD:
    case DOp::SUB:
    case DOp::MUL:
    case DOp::FMA:
    case DOp::NEG:
    case DOp::ABS:
    case DOp::CMP: return type == DType::F32 || type == DType::I32;
    case DOp::MIN:
    case DOp::MAX: return is_word(type);
    case DOp::AND:
    case DOp::OR:
    case DOp::XOR:
    case DOp::SHL:
    case DOp::SHRA:
    case DOp::SHRL: return type == DType::I32;
    case DOp::DIV:
    case DOp::SQRT:
    case DOp::FLOOR:
    case DOp::CEIL:
    case DOp::ROUND:
    case DOp::TRUNC:
    case DOp::EXP:
    case DOp::ERF: return type == DType::F32;
    case DOp::CVT: {
      const auto from = static_cast<DType>(aux);
      if (from == DType::F32) return is_narrow(type) || type == DType::I32 || type == DType::F32;
      return (is_narrow(from) || is_integer(from)) && (is_narrow(type) || is_word(type));
    }
    default: return false;
  }
}

std::optional<std::pair<Nodes, Stretch>> chain_at(const Program& program, const std::vector<Lanes>& live,
                                                const std::vector<bool>& targets, size_t first, size_t& next) {
  Collector collector(program, live);
  size_t at = first;
  while (at < program.actions.size() && (at == first || !targets[at]) && collector.take(at)) ++at;
  next = std::max(at, first + 1);
  return at > first ? collector.finish() : std::nullopt;
}

std::optional<TurnNodes> turns_at(const Program& program, const std::vector<Lanes>& live, size_t first, size_t end) {
  for (unsigned depth = 1; depth <= MOST_DEPTH; ++depth) {
    Collector collector(program, live);
    if (!collector.take_turns(first, end, depth + 1)) return std::nullopt;
    if (auto found = collector.finish_turns()) return found;
  }
  return std::nullopt;
}

unsigned cost(const Nodes& nodes) {
  unsigned sum = 0;
  for (const Step& step : nodes.steps) {
    const Node& node = nodes.nodes[static_cast<size_t>(step.node)];
    if (step.kind != Step::Kind::COMPUTE || node.kind != Node::Kind::OPERATION) continue;
    const bool is_special = node.op == DOp::EXP || node.op == DOp::ERF;
    sum += is_special ? 30 : node.op == DOp::DIV || node.op == DOp::SQRT ? 8 : 1;
  }
  return sum;
}

}  // namespace tfmbs
