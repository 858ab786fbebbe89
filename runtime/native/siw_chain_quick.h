// Special functions in chains: the approximations of lane_quick.h in pairs of f32, step by step. Groups with lanes that
// they are not sure of go to a function of the instruction set.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "siw_chain_values.h"
#include "special_tables.gen.h"

namespace tfmbs {

constexpr size_t UNSAVED = 4;  // of the kept pointers, whose registers the caller does not need

class ChainQuick : public ChainValues {
 protected:
  using ChainValues::ChainValues;

  unsigned masks_of_sums() const {
    return static_cast<unsigned>(
        std::count_if(sums_.begin(), sums_.end(), [](const Sum& sum) { return sum.is_extreme(); }));
  }

  // QuickExp::shortly.
  void exponential(int32_t node) {
    using namespace special;
    const unsigned x = vector(node_at(node).sources[0]);
    const unsigned shifted = constant(0x1.8p+19f);
    to_.vector(FMA_231, shifted, x, real(0x1.715476p+0f));
    const unsigned n = take(), r = copy(x);
    to_.vector(SUB_F32, n, shifted, real(0x1.8p+19f));
    to_.vector(FNMA_231, r, n, real(SHORT_LOG2[0]));
    const unsigned p = constant(SHORT_EXP_TERMS[2]);
    to_.vector(FMA_213, p, r, real(SHORT_EXP_TERMS[1]));
    to_.vector(FMA_213, p, r, real(SHORT_EXP_TERMS[0]));
    const unsigned left = take();
    to_.vector(MUL_F32, left, n, real(-SHORT_LOG2[1]));
    const unsigned s = copy(left);
    to_.vector(FMA_213, s, r, Operand::vector(left));
    to_.vector(MUL_F32, left, r, Operand::vector(r));
    to_.vector(FMA_231, s, left, Operand::vector(p));
    const unsigned high = p, low = left, product = take();
    to_.vector(PERMUTE, high, shifted, Operand::of(SHORT_POWERS));
    to_.vector(PERMUTE, low, shifted, Operand::of(SHORT_POWERS_LOW));
    to_.vector(MUL_F32, product, high, Operand::vector(r));
    const unsigned lost = copy(high), y = shifted;
    to_.vector(FMS_213, lost, r, Operand::vector(product));
    to_.vector(ADD_F32, y, high, Operand::vector(product));
    to_.vector(FMA_213, low, r, Operand::vector(low));
    to_.vector(FMA_231, low, high, Operand::vector(s));
    to_.vector(SUB_F32, high, y, Operand::vector(high));
    to_.vector(SUB_F32, product, product, Operand::vector(high));  // what is missing
    to_.vector(ADD_F32, lost, lost, Operand::vector(product));
    to_.vector(ADD_F32, low, low, Operand::vector(lost));
    const unsigned below = low, above = high;
    to_.vector(ADD_F32, above, low, real(0x1.8p-33f));
    to_.vector(SUB_F32, below, low, real(0x1.8p-33f));
    to_.vector(ADD_F32, above, y, Operand::vector(above));
    to_.vector(ADD_F32, below, y, Operand::vector(below));
    to_.vector(COMPARE_F32, SPARE, below, Operand::vector(above), {}, EQUAL);
    to_.vector(AND_BITS, above, x, Operand::bits(0x7fffffffu));
    to_.vector(COMPARE_F32, SPARE, above, real(87.0f), {SPARE, false}, BELOW);
    const unsigned to = result(node);
    to_.vector(SCALE, to, below, Operand::vector(n));
    doubt(x, to, EXP_GROUP);
  }

  // QuickErf::shortly.
  void error_function(int32_t node) {
    using namespace special;
    const unsigned x = vector(node_at(node).sources[0]), m = take(), shifted = take();
    to_.vector(AND_BITS, m, x, Operand::bits(0x7fffffffu));
    // No NaN, and neither so small that the result may be no normal number nor zero.
    to_.vector(ADD_I32, shifted, m, Operand::bits(~0u));
    to_.vector(COMPARE_U32, SPARE, shifted, Operand::bits(0x0d800000u), {}, NOT_BELOW);
    to_.vector(COMPARE_F32, SPARE, x, Operand::vector(x), {SPARE, false}, ORDERED);
    to_.vector(PLAIN_MIN, m, m, real(0x1.f7fffep+1f));
    to_.vector(ADD_F32, shifted, m, real(0x1.8p+20f));
    const unsigned r = take();
    to_.vector(SUB_F32, r, shifted, real(0x1.8p+20f));
    to_.vector(SUB_F32, r, m, Operand::vector(r));
    const unsigned p = looked_up(SHORT_ERF_5, shifted), term = take();
    for (const float* table : {SHORT_ERF_4, SHORT_ERF_3, SHORT_ERF_2}) {
      look_up(term, table, shifted);
      to_.vector(FMA_213, p, r, Operand::vector(term));
    }
    const unsigned first = looked_up(SHORT_ERF_0, shifted), slope = term, product = take();
    look_up(slope, SHORT_ERF_1, shifted);
    to_.vector(MUL_F32, product, slope, Operand::vector(r));
    to_.vector(FMS_213, slope, r, Operand::vector(product));  // what is lost
    const unsigned sum = take();
    to_.vector(ADD_F32, sum, first, Operand::vector(product));
    to_.vector(SUB_F32, first, sum, Operand::vector(first));
    to_.vector(SUB_F32, product, product, Operand::vector(first));  // what is missing
    to_.vector(ADD_F32, slope, slope, Operand::vector(product));
    const unsigned low = first, rest = slope;
    look_up(low, SHORT_ERF_1_LOW, shifted);
    look_up(product, SHORT_ERF_0_LOW, shifted);
    to_.vector(FMA_213, low, r, Operand::vector(product));
    to_.vector(ADD_F32, rest, low, Operand::vector(slope));
    to_.vector(MUL_F32, r, r, Operand::vector(r));
    to_.vector(FMA_231, rest, r, Operand::vector(p));
    const unsigned high = product, below = p, above = sum;
    to_.vector(MUL_F32, high, sum, Operand::vector(m));
    to_.vector(FMS_213, sum, m, Operand::vector(high));
    to_.vector(FMA_231, sum, rest, Operand::vector(m));  // what is left
    to_.vector(LOAD_WORDS, below, 0, Operand::vector(sum));
    to_.vector(FNMA_231, below, high, real(0x1p-32f));
    to_.vector(FMA_231, above, high, real(0x1p-32f));
    to_.vector(ADD_F32, below, high, Operand::vector(below));
    to_.vector(ADD_F32, above, high, Operand::vector(above));
    to_.vector(COMPARE_F32, SPARE, below, Operand::vector(above), {SPARE, false}, EQUAL);
    const unsigned to = result(node);
    to_.vector(BROADCAST, to, 0, plain(0x80000000u));
    to_.vector(BIT_BY_BIT, to, x, Operand::vector(below), {}, CHOOSE);
    doubt(x, to, ERF_GROUP);
  }

  // Behind the code: what is done about groups in doubt.
  void write_doubts() {
    for (const Doubt& doubt : doubts_) write(doubt);
  }
  // A constant for instructions that broadcast by themselves.
  static Operand plain(uint32_t bits) {
    Operand operand = Operand::bits(bits);
    operand.broadcasts = false;
    return operand;
  }

 private:
  static constexpr int EQUAL = 0, BELOW = 0x11, NOT_BELOW = 5, CHOOSE = 0xca;
  struct Doubt {
    size_t jump, back;
    unsigned from, to;
    uint8_t function;  // its pointer
    std::vector<unsigned> vectors, masks;
  };

  static uint32_t bits_of(float number) {
    uint32_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
  }
  static Operand real(float number) { return Operand::bits(bits_of(number)); }
  unsigned constant(float number) {
    const unsigned to = take();
    to_.vector(BROADCAST, to, 0, plain(bits_of(number)));
    return to;
  }
  unsigned copy(unsigned from) {
    const unsigned to = take();
    to_.vector(LOAD_WORDS, to, 0, Operand::vector(from));
    return to;
  }
  // Elements of a table of 32.
  void look_up(unsigned to, const float* table, unsigned index) {
    to_.vector(LOAD_WORDS, to, 0, Operand::of(table));
    to_.vector(PERMUTE_TWO, to, index, Operand::of(table + 16));
  }
  unsigned looked_up(const float* table, unsigned index) {
    const unsigned to = take();
    look_up(to, table, index);
    return to;
  }

  // Goes to the function where SPARE lacks a lane.
  void doubt(unsigned from, unsigned to, uint8_t function) {
    to_.bytes({0xc5, 0xf8, 0x98, 0xd2});  // kortestw k2, k2
    Doubt doubt{to_.jump_if(3), to_.size(), from, to, function, {}, {}};
    each_kept([&](unsigned i) {
      if (i != to) doubt.vectors.push_back(i);
    });
    each_kept_mask(masks_of_sums(), [&](unsigned i) { doubt.masks.push_back(i); });
    doubts_.push_back(std::move(doubt));
    give_back();
  }
  void write(const Doubt& doubt) {
    constexpr Gpr USED[] = {RCX, RDX, RSI, RDI, R8, R9, R10, R11};
    static_assert(sizeof USED % 2 == 0);
    to_.land(doubt.jump);
    for (const unsigned i : doubt.vectors) to_.vector(STORE_WORDS, i, 0, saved(i));
    for (const unsigned i : doubt.masks) to_.store_mask(i, VALUES, mask_at(i));
    to_.vector(STORE_WORDS, doubt.from, 0, group());
    // The caller's call and an even number of pushes leave the stack eight bytes from where a call needs it.
    const bool is_aligned = kept_.size() > UNSAVED && (kept_.size() - UNSAVED) % 2;
    for (const Gpr reg : USED) to_.push(reg);
    if (!is_aligned) to_.push(RAX);
    to_.load(SCRATCH, POINTERS, 8 * doubt.function);
    to_.add(RDI, VALUES, 64 * GROUP_ROOM);
    to_.bytes({0xff, 0xd0});  // call rax
    if (!is_aligned) to_.pop(RAX);
    for (size_t i = std::size(USED); i--;) to_.pop(USED[i]);
    for (const unsigned i : doubt.masks) to_.load_mask(i, VALUES, mask_at(i));
    for (const unsigned i : doubt.vectors) to_.vector(LOAD_WORDS, i, 0, saved(i));
    to_.vector(LOAD_WORDS, doubt.to, 0, group());
    to_.aim(to_.jump(), doubt.back);
  }
  static Operand saved(unsigned vector) {
    return Operand::at(VALUES, static_cast<int32_t>(64 * (SAVED_ROOMS + vector)));
  }
  static Operand group() { return Operand::at(VALUES, 64 * GROUP_ROOM); }
  static int32_t mask_at(unsigned mask) { return static_cast<int32_t>(64 * MASK_ROOM + 8 * mask); }

  std::vector<Doubt> doubts_;
};

}  // namespace tfmbs
