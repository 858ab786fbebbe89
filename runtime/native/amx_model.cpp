// A model of AMX tiles, written from the documented meaning of the instructions, for processors that have none.
#include "amx_block.h"
#include "amx_strip.h"
#include "amx_unit.h"
#include "amx_window.h"

namespace tfmbs {
namespace {

class Model {
 public:
  explicit Model(unsigned rows = AMX_ROWS) : config_(rows) {}

  template <int TILE>
  void zero() {
    std::memset(tiles_[TILE], 0, sizeof tiles_[TILE]);
  }
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
  // TDPBUSD: A is unsigned, B signed.
  template <int SUM, int A, int B>
  void dot() {
    add_products<SUM, A, B, uint8_t, int8_t>();
  }
  // TDPBSUD: A is signed, B unsigned.
  template <int SUM, int A, int B>
  void dot_signed() {
    add_products<SUM, A, B, int8_t, uint8_t>();
  }
  // TDPBSSD: both are signed.
  template <int SUM, int A, int B>
  void dot_i8() {
    add_products<SUM, A, B, int8_t, int8_t>();
  }

 private:
  // The sums of row m and column n take in the products of quads k of row m of A and quads n of row k of B.
  template <int SUM, int A, int B, class Left, class Right>
  void add_products() {
    for (unsigned m = 0; m < config_.rows[SUM]; ++m)
      for (unsigned k = 0; k < config_.bytes[A] / 4u; ++k)
        for (unsigned n = 0; n < config_.bytes[SUM] / 4u; ++n) {
          uint32_t sum;
          std::memcpy(&sum, tiles_[SUM][m] + 4 * n, sizeof sum);
          for (unsigned i = 0; i < 4; ++i)
            sum += static_cast<uint32_t>(static_cast<Left>(tiles_[A][m][4 * k + i]) *
                                         static_cast<Right>(tiles_[B][k][4 * n + i]));
          std::memcpy(tiles_[SUM][m] + 4 * n, &sum, sizeof sum);
        }
  }

  const AmxConfig config_;
  uint8_t tiles_[AMX_TILES][AMX_ROWS][AMX_BYTES] = {};
};

}  // namespace

const TileFn amx_model = amx_tile<Model>;
const AmxStrips amx_model_strips = {amx_strip<Model>, amx_few<Model>};
const QuadWindowFn amx_model_window = amx_window<Model>;

}  // namespace tfmbs
