// Machine code for x86-64 with AVX-512: the few forms that chains of lane operations need, written into a buffer.
//
// Vector instructions work on 16 lanes of 32 bits. Memory is addressed as [base + displacement], as [base + lane *
// size] with the lane counter in LANE, or relative to the code for constants, which lie behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace tfmbs {

enum Gpr : uint8_t { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

constexpr Gpr LANE = RCX;

// The second source or the source of an instruction.
struct Operand {
  enum class Form : uint8_t { VECTOR, PLAIN, LANES, CONSTANT, TABLE };
  Form form = Form::VECTOR;
  uint8_t number = 0;      // of the vector register, or the base
  uint8_t scale = 0;       // LANES: log2 of the bytes of a lane in memory
  bool broadcasts = false;
  int32_t displacement = 0;
  uint32_t constant = 0;
  const float* table = nullptr;  // of 16 elements

  static Operand vector(unsigned number) {
    return {Form::VECTOR, static_cast<uint8_t>(number), 0, false, 0, 0, nullptr};
  }
  static Operand at(Gpr base, int32_t displacement) { return {Form::PLAIN, base, 0, false, displacement, 0, nullptr}; }
  static Operand lanes(Gpr base, uint8_t scale) { return {Form::LANES, base, scale, false, 0, 0, nullptr}; }
  static Operand word_at(Gpr base) { return {Form::PLAIN, base, 0, true, 0, 0, nullptr}; }
  static Operand bits(uint32_t constant) { return {Form::CONSTANT, 0, 0, true, 0, constant, nullptr}; }
  static Operand of(const float* table) { return {Form::TABLE, 0, 0, false, 0, 0, table}; }
  bool is_memory() const { return form != Form::VECTOR; }
};

// The parts of an opcode with an EVEX prefix: opcode map, mandatory prefix (0: none, 1: 66, 2: F3, 3: F2), W.
struct Opcode {
  uint8_t map, prefix, byte;
  bool w = false;
};

// A mask register that an instruction is under; 0: none. Other lanes become zero, or keep what they were.
struct Mask {
  uint8_t number = 0;
  bool zeroes = false;
};

class Assembler {
 public:
  size_t size() const { return code_.size(); }
  void byte(unsigned value) { code_.push_back(static_cast<uint8_t>(value)); }
  void bytes(std::initializer_list<unsigned> values) {
    for (const unsigned value : values) byte(value);
  }
  void word(uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) byte(value >> 8 * i & 0xff);
  }
  void quad(uint64_t value) {
    word(static_cast<uint32_t>(value));
    word(static_cast<uint32_t>(value >> 32));
  }

  // reg, second source (0 where there is none), source; `immediate` below 0: none.
  void vector(Opcode opcode, unsigned reg, unsigned second, const Operand& source, Mask mask = {}, int immediate = -1) {
    const bool memory = source.is_memory();
    const unsigned base = source.number;
    const unsigned not_x = memory ? 1u : ~base >> 4 & 1u;  // the lane counter is one of the first eight
    byte(0x62);
    byte((~reg >> 3 & 1u) << 7 | not_x << 6 | (~base >> 3 & 1u) << 5 | (~reg >> 4 & 1u) << 4 | opcode.map);
    byte(static_cast<unsigned>(opcode.w) << 7 | (~second & 15u) << 3 | 4u | opcode.prefix);
    byte(static_cast<unsigned>(mask.zeroes) << 7 | 2u << 5 | static_cast<unsigned>(source.broadcasts) << 4 |
         (~second >> 4 & 1u) << 3 | mask.number);
    byte(opcode.byte);
    address(reg, source, immediate >= 0);
    if (immediate >= 0) byte(static_cast<unsigned>(immediate));
  }

  // Mask registers, 16 bits of them, at [base + displacement].
  void load_mask(unsigned mask, Gpr base, int32_t displacement) {
    bytes({0xc5, 0xf8, 0x90});
    address(mask, Operand::at(base, displacement), false);
  }
  void store_mask(unsigned mask, Gpr base, int32_t displacement) {
    bytes({0xc5, 0xf8, 0x91});
    address(mask, Operand::at(base, displacement), false);
  }

  // 64-bit general registers.
  void load(Gpr to, Gpr base, int32_t displacement) {
    bytes({0x48u | unsigned{to} >> 3 << 2 | unsigned{base} >> 3, 0x8b});
    address(to, Operand::at(base, displacement), false);
  }
  void add(Gpr to, Gpr base, int32_t displacement) {
    bytes({0x48u | unsigned{to} >> 3 << 2 | unsigned{base} >> 3, 0x8d});
    address(to, Operand::at(base, displacement), false);
  }
  void move(Gpr to, uint64_t value) {
    bytes({0x48u | to >> 3u, 0xb8u | (to & 7u)});
    quad(value);
  }
  void push(Gpr reg) {
    if (reg >= R8) byte(0x41);
    byte(0x50u | (reg & 7u));
  }
  void pop(Gpr reg) {
    if (reg >= R8) byte(0x41);
    byte(0x58u | (reg & 7u));
  }
  // A jump whose target is set by land() or is a place in the code. Returns where its distance stands.
  size_t jump_if(unsigned condition) {
    bytes({0x0f, 0x80u | condition});
    word(0);
    return code_.size();
  }
  size_t jump() {
    byte(0xe9);
    word(0);
    return code_.size();
  }
  size_t call() {
    byte(0xe8);
    word(0);
    return code_.size();
  }
  void land(size_t jump) { aim(jump, code_.size()); }
  void aim(size_t jump, size_t target) {
    const auto distance = static_cast<uint32_t>(target - jump);
    std::memcpy(code_.data() + jump - 4, &distance, sizeof distance);
  }

  // The code, with its constants behind it; tables are aligned where it is.
  const std::vector<uint8_t>& finish() {
    while (code_.size() % 4) byte(0xcc);
    for (const auto& [bits, places] : constants_) {
      for (const auto& [place, behind] : places) {
        const auto distance = static_cast<uint32_t>(code_.size() - (place + 4 + behind));
        std::memcpy(code_.data() + place, &distance, sizeof distance);
      }
      word(bits);
    }
    while (!tables_.empty() && code_.size() % TABLE_BYTES) byte(0xcc);
    for (const auto& [table, places] : tables_) {
      for (const size_t place : places) aim(place + 4, code_.size());
      for (unsigned i = 0; i < TABLE_BYTES / sizeof *table; ++i) {
        uint32_t bits;
        std::memcpy(&bits, table + i, sizeof bits);
        word(bits);
      }
    }
    return code_;
  }

 private:
  void address(unsigned reg, const Operand& source, bool immediate) {
    const unsigned field = (reg & 7u) << 3;
    switch (source.form) {
      case Operand::Form::VECTOR: byte(0xc0u | field | (source.number & 7u)); return;
      case Operand::Form::CONSTANT:
        byte(field | 5u);
        constants_[source.constant].push_back({code_.size(), immediate ? 1 : 0});
        word(0);
        return;
      case Operand::Form::TABLE:
        byte(field | 5u);
        tables_[source.table].push_back(code_.size());
        word(0);
        return;
      case Operand::Form::LANES:
        byte(0x80u | field | 4u);
        byte(static_cast<unsigned>(source.scale) << 6 | (LANE & 7u) << 3 | (source.number & 7u));
        break;
      case Operand::Form::PLAIN:
        byte(0x80u | field | 4u);
        byte(4u << 3 | (source.number & 7u));
        break;
    }
    // Displacements of one byte would count in operands: four are simpler, and none is zero bytes only by that form.
    word(static_cast<uint32_t>(source.displacement));
  }

  static constexpr size_t TABLE_BYTES = 64;

  std::vector<uint8_t> code_;
  std::map<const float*, std::vector<size_t>> tables_;  // where they are used, with nothing behind
  std::map<uint32_t, std::vector<std::pair<size_t, size_t>>> constants_;  // where they are used, and bytes behind
};

}  // namespace tfmbs
