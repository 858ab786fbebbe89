// Blocks of integer products on AMX, compiled with -mamx-tile -mamx-int8. The instructions are written as assembly: GCC
// 12's intrinsic for LDTILECFG reads only the first bytes of its operand, so that the others may not have been stored.
#include "amx_block.h"
#include "amx_strip.h"
#include "amx_unit.h"
#include "amx_window.h"

#if defined(TFMBS_X86)
namespace tfmbs {
namespace {

class Processor {
 public:
  // Tiles of sums and of A have `rows` rows.
  explicit Processor(unsigned rows = AMX_ROWS) {
    const AmxConfig config(rows);
    asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  ~Processor() { asm volatile("tilerelease" ::: "memory"); }
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  template <int TILE>
  void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(TILE));
  }
  template <int TILE>
  void load(const void* from, size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(TILE) : "memory");
  }
  template <int TILE>
  void store(void* to, size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(TILE) : "memory");
  }
  template <int SUM, int A, int B>
  void dot() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(SUM), "i"(A), "i"(B));
  }
  template <int SUM, int A, int B>
  void dot_signed() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(SUM), "i"(A), "i"(B));
  }
  template <int SUM, int A, int B>
  void dot_i8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(SUM), "i"(A), "i"(B));
  }
};

}  // namespace

const TileFn amx_processor = amx_tile<Processor>;
const AmxStrips amx_processor_strips = {amx_strip<Processor>, amx_few<Processor>};
const QuadWindowFn amx_processor_window = amx_window<Processor>;

}  // namespace tfmbs
#endif
