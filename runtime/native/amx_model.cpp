// A model of AMX tiles, written from the documented meaning of the instructions, for processors that have none.
#include "amx_block.h"
#include "amx_unit.h"

namespace tfmbs {
namespace {

class Model {
 public:
  template <int TILE>
  void load(const void* from, size_t stride) {
    static_assert(TILE < AMX_TILES);
    for (unsigned row = 0; row < config_.rows[TILE]; ++row)
      std::memcpy(tiles_[TILE][row], static_cast<const uint8_t*>(from) + row * stride, config_.bytes[TILE]);
  }
  template <int TILE>
  void store(void* to, size_t stride) {
    for (unsigned row = 0; row < config_.rows[TILE]; ++row)
      std::memcpy(static_cast<uint8_t*>(to) + row * stride, tiles_[TILE][row], config_.bytes[TILE]);
  }
  // TDPBUSD: the sums of row m and column n take in the products of quads k of row m of A, unsigned, and quads n of row k
  // of B, signed.
  template <int SUM, int A, int B>
  void dot() {
    for (unsigned m = 0; m < config_.rows[SUM]; ++m)
      for (unsigned k = 0; k < config_.bytes[A] / 4u; ++k)
        for (unsigned n = 0; n < config_.bytes[SUM] / 4u; ++n) {
          uint32_t sum;
          std::memcpy(&sum, tiles_[SUM][m] + 4 * n, sizeof sum);
          for (unsigned i = 0; i < 4; ++i)
            sum += static_cast<uint32_t>(tiles_[A][m][4 * k + i] * static_cast<int8_t>(tiles_[B][k][4 * n + i]));
          std::memcpy(tiles_[SUM][m] + 4 * n, &sum, sizeof sum);
        }
  }

 private:
  const AmxConfig config_;
  uint8_t tiles_[AMX_TILES][AMX_ROWS][AMX_BYTES] = {};
};

}  // namespace

const TileFn amx_model = amx_tile<Model>;

}  // namespace tfmbs
