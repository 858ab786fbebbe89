// The special functions of the fabric.
// One overload for float and one for double each.
// Generated from runtime/abi/special.py by `python -m tfmbs.runtime.abi.special_render`; do not edit.
// Compile with -ffp-contract=off: every rounding is written out. Loops over these functions vectorize with
// -fno-math-errno and -fno-trapping-math, which change no value. The functions
// have internal linkage, so files with different -m flags may include them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tfmbs::special {

[[gnu::always_inline]] static inline std::uint64_t to_bits(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

[[gnu::always_inline]] static inline double to_real(std::uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

[[gnu::always_inline]] static inline float canonical(float x) {
  const std::uint32_t nan = 0x7FC00000u;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = x == x ? bits : nan;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

[[gnu::always_inline]] static inline double canonical(double x) {
  return to_real(x == x ? to_bits(x) : 0x7FF8000000000000u);
}

// 1 / sqrt(x); rsqrt(±0) = ±inf; error at most 1 ulp.
[[gnu::always_inline]] static inline float rsqrt(float v0) {
  const double v1 = static_cast<double>(v0);
  const double v2 = 0x1.0000000000000p+0;
  const double v3 = std::sqrt(v1);
  const double v4 = v2 / v3;
  const float v5 = static_cast<float>(v4);
  const float v6 = canonical(v5);
  return v6;
}

// e to the power x; error at most 1 ulp.
[[gnu::always_inline]] static inline float exp(float v0) {
  const double v1 = static_cast<double>(v0);
  const double v2 = -0x1.2c00000000000p+7;
  const bool v3 = v1 < v2;
  const double v4 = v3 ? v2 : v1;
  const double v5 = 0x1.9000000000000p+6;
  const bool v6 = v5 < v4;
  const double v7 = v6 ? v5 : v4;
  const double v8 = 0x1.71547652b82fep+0;
  const double v9 = 0x1.8000000000000p+52;
  const double v10 = std::fma(v7, v8, v9);
  const double v11 = v10 - v9;
  const double v12 = -0x1.62e42fefa0000p-1;
  const double v13 = std::fma(v11, v12, v7);
  const double v14 = -0x1.cf79abc9e3b3ap-40;
  const double v15 = std::fma(v11, v14, v13);
  const double v16 = v15 * v15;
  const double v17 = 0x1.a15a6e51d4ce3p-16;
  const double v18 = 0x1.a1518010dd343p-13;
  const double v19 = std::fma(v17, v15, v18);
  const double v20 = 0x1.6c1652259a549p-10;
  const double v21 = std::fma(v19, v15, v20);
  const double v22 = 0x1.1110c62ee66e8p-7;
  const double v23 = std::fma(v21, v15, v22);
  const double v24 = 0x1.5555556f0d902p-5;
  const double v25 = std::fma(v23, v15, v24);
  const double v26 = 0x1.5555556754f69p-3;
  const double v27 = std::fma(v25, v15, v26);
  const double v28 = 0x1.fffffffffc095p-2;
  const double v29 = std::fma(v27, v15, v28);
  const double v30 = std::fma(v16, v29, v15);
  const std::uint64_t v31 = to_bits(v10);
  const std::uint64_t v32 = 0x34u;
  const std::uint64_t v33 = v31 << v32;
  const double v34 = 0x1.0000000000000p+0;
  const std::uint64_t v35 = to_bits(v34);
  const std::uint64_t v36 = v35 + v33;
  const double v37 = to_real(v36);
  const double v38 = std::fma(v37, v30, v37);
  const float v39 = static_cast<float>(v38);
  const float v40 = canonical(v39);
  return v40;
}

// natural logarithm; log(±0) = -inf, log of a negative number is NaN; error at most 1 ulp.
[[gnu::always_inline]] static inline float log(float v0) {
  const double v1 = static_cast<double>(v0);
  const std::uint64_t v2 = to_bits(v1);
  const std::uint64_t v3 = 0x95F619980C433u;
  const std::uint64_t v4 = v2 + v3;
  const std::uint64_t v5 = 0x34u;
  const std::uint64_t v6 = v4 >> v5;
  const std::uint64_t v7 = 0xFFFFFFFFFFFFFu;
  const std::uint64_t v8 = v4 & v7;
  const std::uint64_t v9 = 0x3FE6A09E667F3BCDu;
  const std::uint64_t v10 = v8 + v9;
  const std::uint64_t v11 = 0x4337FFFFFFFFFC01u;
  const std::uint64_t v12 = v6 + v11;
  const double v13 = to_real(v12);
  const double v14 = 0x1.8000000000000p+52;
  const double v15 = v13 - v14;
  const double v16 = to_real(v10);
  const double v17 = 0x1.0000000000000p+0;
  const double v18 = v16 - v17;
  const double v19 = 0x1.0000000000000p+1;
  const double v20 = v18 + v19;
  const double v21 = v18 / v20;
  const double v22 = v21 * v21;
  const double v23 = v21 + v21;
  const double v24 = 0x1.ddd8e0e1437ecp-4;
  const double v25 = 0x1.245c0b63947d9p-3;
  const double v26 = std::fma(v24, v22, v25);
  const double v27 = 0x1.9999ebfa4e133p-3;
  const double v28 = std::fma(v26, v22, v27);
  const double v29 = 0x1.5555554b924f1p-2;
  const double v30 = std::fma(v28, v22, v29);
  const double v31 = v22 * v30;
  const double v32 = std::fma(v23, v31, v23);
  const double v33 = 0x1.62e42fefa39efp-1;
  const double v34 = std::fma(v15, v33, v32);
  const double v35 = 0x0.0p+0;
  const bool v36 = v1 == v35;
  const double v37 = -std::numeric_limits<double>::infinity();
  const double v38 = v36 ? v37 : v34;
  const bool v39 = v1 < v35;
  const double v40 = std::numeric_limits<double>::quiet_NaN();
  const double v41 = v39 ? v40 : v38;
  const double v42 = std::numeric_limits<double>::infinity();
  const bool v43 = v1 < v42;
  const double v44 = v43 ? v41 : v1;
  const float v45 = static_cast<float>(v44);
  const float v46 = canonical(v45);
  return v46;
}

// hyperbolic tangent; error at most 2 ulp.
[[gnu::always_inline]] static inline float tanh(float v0) {
  const double v1 = static_cast<double>(v0);
  const std::uint64_t v2 = to_bits(v1);
  const std::uint64_t v3 = 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t v4 = v2 & v3;
  const double v5 = to_real(v4);
  const double v6 = v5 + v5;
  const double v7 = 0x0.0p+0;
  const bool v8 = v6 < v7;
  const double v9 = v8 ? v7 : v6;
  const double v10 = 0x1.4000000000000p+5;
  const bool v11 = v10 < v9;
  const double v12 = v11 ? v10 : v9;
  const double v13 = 0x1.71547652b82fep+0;
  const double v14 = 0x1.8000000000000p+52;
  const double v15 = std::fma(v12, v13, v14);
  const double v16 = v15 - v14;
  const double v17 = -0x1.62e42fefa0000p-1;
  const double v18 = std::fma(v16, v17, v12);
  const double v19 = -0x1.cf79abc9e3b3ap-40;
  const double v20 = std::fma(v16, v19, v18);
  const double v21 = v20 * v20;
  const double v22 = 0x1.a15a6e51d4ce3p-16;
  const double v23 = 0x1.a1518010dd343p-13;
  const double v24 = std::fma(v22, v20, v23);
  const double v25 = 0x1.6c1652259a549p-10;
  const double v26 = std::fma(v24, v20, v25);
  const double v27 = 0x1.1110c62ee66e8p-7;
  const double v28 = std::fma(v26, v20, v27);
  const double v29 = 0x1.5555556f0d902p-5;
  const double v30 = std::fma(v28, v20, v29);
  const double v31 = 0x1.5555556754f69p-3;
  const double v32 = std::fma(v30, v20, v31);
  const double v33 = 0x1.fffffffffc095p-2;
  const double v34 = std::fma(v32, v20, v33);
  const double v35 = std::fma(v21, v34, v20);
  const std::uint64_t v36 = to_bits(v15);
  const std::uint64_t v37 = 0x34u;
  const std::uint64_t v38 = v36 << v37;
  const double v39 = 0x1.0000000000000p+0;
  const std::uint64_t v40 = to_bits(v39);
  const std::uint64_t v41 = v40 + v38;
  const double v42 = to_real(v41);
  const double v43 = v42 - v39;
  const double v44 = std::fma(v42, v35, v43);
  const double v45 = 0x1.0000000000000p+1;
  const double v46 = v44 + v45;
  const double v47 = v44 / v46;
  const std::uint64_t v48 = 0x8000000000000000u;
  const std::uint64_t v49 = v2 & v48;
  const std::uint64_t v50 = to_bits(v47);
  const std::uint64_t v51 = v50 | v49;
  const double v52 = to_real(v51);
  const float v53 = static_cast<float>(v52);
  const float v54 = canonical(v53);
  return v54;
}

// error function; error at most 2 ulp.
[[gnu::always_inline]] static inline float erf(float v0) {
  const double v1 = static_cast<double>(v0);
  const std::uint64_t v2 = to_bits(v1);
  const std::uint64_t v3 = 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t v4 = v2 & v3;
  const double v5 = to_real(v4);
  const double v6 = 0x0.0p+0;
  const bool v7 = v5 < v6;
  const double v8 = v7 ? v6 : v5;
  const double v9 = 0x1.0000000000000p+2;
  const bool v10 = v9 < v8;
  const double v11 = v10 ? v9 : v8;
  const double v12 = 0x1.383c8a1fba18cp-25;
  const double v13 = -0x1.662dedf7e02a1p-21;
  const double v14 = std::fma(v12, v11, v13);
  const double v15 = 0x1.5f0d75d16335bp-18;
  const double v16 = std::fma(v14, v11, v15);
  const double v17 = -0x1.6cf3ecfbdcb54p-16;
  const double v18 = std::fma(v16, v11, v17);
  const double v19 = 0x1.5582530965d7fp-15;
  const double v20 = std::fma(v18, v11, v19);
  const double v21 = 0x1.f55d8d1c7387ap-15;
  const double v22 = std::fma(v20, v11, v21);
  const double v23 = -0x1.44ddaaa628218p-11;
  const double v24 = std::fma(v22, v11, v23);
  const double v25 = 0x1.c0ea110f7bf76p-10;
  const double v26 = std::fma(v24, v11, v25);
  const double v27 = -0x1.c2568a21cd8adp-13;
  const double v28 = std::fma(v26, v11, v27);
  const double v29 = -0x1.3961f25eec14dp-6;
  const double v30 = std::fma(v28, v11, v29);
  const double v31 = 0x1.a4f4c581a9402p-4;
  const double v32 = std::fma(v30, v11, v31);
  const double v33 = 0x1.45f3070013003p-1;
  const double v34 = std::fma(v32, v11, v33);
  const double v35 = 0x1.20dd75040deb0p+0;
  const double v36 = std::fma(v34, v11, v35);
  const double v37 = v11 * v36;
  const double v38 = -v37;
  const double v39 = 0x1.71547652b82fep+0;
  const double v40 = 0x1.8000000000000p+52;
  const double v41 = std::fma(v38, v39, v40);
  const double v42 = v41 - v40;
  const double v43 = -0x1.62e42fefa0000p-1;
  const double v44 = std::fma(v42, v43, v38);
  const double v45 = -0x1.cf79abc9e3b3ap-40;
  const double v46 = std::fma(v42, v45, v44);
  const double v47 = v46 * v46;
  const double v48 = 0x1.a15a6e51d4ce3p-16;
  const double v49 = 0x1.a1518010dd343p-13;
  const double v50 = std::fma(v48, v46, v49);
  const double v51 = 0x1.6c1652259a549p-10;
  const double v52 = std::fma(v50, v46, v51);
  const double v53 = 0x1.1110c62ee66e8p-7;
  const double v54 = std::fma(v52, v46, v53);
  const double v55 = 0x1.5555556f0d902p-5;
  const double v56 = std::fma(v54, v46, v55);
  const double v57 = 0x1.5555556754f69p-3;
  const double v58 = std::fma(v56, v46, v57);
  const double v59 = 0x1.fffffffffc095p-2;
  const double v60 = std::fma(v58, v46, v59);
  const double v61 = std::fma(v47, v60, v46);
  const std::uint64_t v62 = to_bits(v41);
  const std::uint64_t v63 = 0x34u;
  const std::uint64_t v64 = v62 << v63;
  const double v65 = 0x1.0000000000000p+0;
  const std::uint64_t v66 = to_bits(v65);
  const std::uint64_t v67 = v66 + v64;
  const double v68 = to_real(v67);
  const double v69 = v68 - v65;
  const double v70 = std::fma(v68, v61, v69);
  const double v71 = v6 - v70;
  const std::uint64_t v72 = 0x8000000000000000u;
  const std::uint64_t v73 = v2 & v72;
  const std::uint64_t v74 = to_bits(v71);
  const std::uint64_t v75 = v74 | v73;
  const double v76 = to_real(v75);
  const float v77 = static_cast<float>(v76);
  const float v78 = canonical(v77);
  return v78;
}

// sine; of ±inf NaN, of larger finite arguments than 2**32 a zero of their sign; error at most 2 ulp.
[[gnu::always_inline]] static inline float sin(float v0) {
  const double v1 = static_cast<double>(v0);
  const std::uint64_t v2 = to_bits(v1);
  const std::uint64_t v3 = 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t v4 = v2 & v3;
  const double v5 = to_real(v4);
  const double v6 = 0x1.0000000000000p+32;
  const bool v7 = v5 < v6;
  const double v8 = 0x0.0p+0;
  const double v9 = v1 * v8;
  const double v10 = v7 ? v1 : v9;
  const double v11 = 0x1.45f306dc9c883p-1;
  const double v12 = 0x1.8000000000000p+52;
  const double v13 = std::fma(v10, v11, v12);
  const double v14 = v13 - v12;
  const double v15 = -0x1.921fb54442d18p+0;
  const double v16 = std::fma(v14, v15, v10);
  const double v17 = -0x1.1a62633145c07p-54;
  const double v18 = std::fma(v14, v17, v16);
  const double v19 = v18 * v18;
  const double v20 = 0x1.6cd8280e9645cp-19;
  const double v21 = -0x1.a00f9cf8eaa2ap-13;
  const double v22 = std::fma(v20, v19, v21);
  const double v23 = 0x1.11110895c7ff8p-7;
  const double v24 = std::fma(v22, v19, v23);
  const double v25 = -0x1.5555554cba661p-3;
  const double v26 = std::fma(v24, v19, v25);
  const double v27 = 0x1.0000000000000p+0;
  const double v28 = std::fma(v19, v26, v27);
  const double v29 = v18 * v28;
  const double v30 = 0x1.99eb4fbb12a14p-16;
  const double v31 = -0x1.6c0c32ad212e0p-10;
  const double v32 = std::fma(v30, v19, v31);
  const double v33 = 0x1.55554a0fd2c93p-5;
  const double v34 = std::fma(v32, v19, v33);
  const double v35 = -0x1.0000000000000p-1;
  const double v36 = std::fma(v19, v34, v35);
  const double v37 = std::fma(v19, v36, v27);
  const std::uint64_t v38 = to_bits(v13);
  const std::uint64_t v39 = to_bits(v27);
  const std::uint64_t v40 = 0x3Fu;
  const std::uint64_t v41 = v38 << v40;
  const std::uint64_t v42 = v39 | v41;
  const double v43 = to_real(v42);
  const bool v44 = v43 < v8;
  const double v45 = v44 ? v37 : v29;
  const std::uint64_t v46 = 0x3Eu;
  const std::uint64_t v47 = v38 << v46;
  const std::uint64_t v48 = 0x8000000000000000u;
  const std::uint64_t v49 = v47 & v48;
  const std::uint64_t v50 = to_bits(v45);
  const std::uint64_t v51 = v50 ^ v49;
  const double v52 = to_real(v51);
  const float v53 = static_cast<float>(v52);
  const float v54 = canonical(v53);
  return v54;
}

// cosine; of ±inf NaN, of larger finite arguments than 2**32 1; error at most 2 ulp.
[[gnu::always_inline]] static inline float cos(float v0) {
  const double v1 = static_cast<double>(v0);
  const std::uint64_t v2 = to_bits(v1);
  const std::uint64_t v3 = 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t v4 = v2 & v3;
  const double v5 = to_real(v4);
  const double v6 = 0x1.0000000000000p+32;
  const bool v7 = v5 < v6;
  const double v8 = 0x0.0p+0;
  const double v9 = v1 * v8;
  const double v10 = v7 ? v1 : v9;
  const double v11 = 0x1.45f306dc9c883p-1;
  const double v12 = 0x1.8000000000000p+52;
  const double v13 = std::fma(v10, v11, v12);
  const double v14 = v13 - v12;
  const double v15 = -0x1.921fb54442d18p+0;
  const double v16 = std::fma(v14, v15, v10);
  const double v17 = -0x1.1a62633145c07p-54;
  const double v18 = std::fma(v14, v17, v16);
  const double v19 = v18 * v18;
  const double v20 = 0x1.6cd8280e9645cp-19;
  const double v21 = -0x1.a00f9cf8eaa2ap-13;
  const double v22 = std::fma(v20, v19, v21);
  const double v23 = 0x1.11110895c7ff8p-7;
  const double v24 = std::fma(v22, v19, v23);
  const double v25 = -0x1.5555554cba661p-3;
  const double v26 = std::fma(v24, v19, v25);
  const double v27 = 0x1.0000000000000p+0;
  const double v28 = std::fma(v19, v26, v27);
  const double v29 = v18 * v28;
  const double v30 = 0x1.99eb4fbb12a14p-16;
  const double v31 = -0x1.6c0c32ad212e0p-10;
  const double v32 = std::fma(v30, v19, v31);
  const double v33 = 0x1.55554a0fd2c93p-5;
  const double v34 = std::fma(v32, v19, v33);
  const double v35 = -0x1.0000000000000p-1;
  const double v36 = std::fma(v19, v34, v35);
  const double v37 = std::fma(v19, v36, v27);
  const double v38 = v13 + v27;
  const std::uint64_t v39 = to_bits(v38);
  const std::uint64_t v40 = to_bits(v27);
  const std::uint64_t v41 = 0x3Fu;
  const std::uint64_t v42 = v39 << v41;
  const std::uint64_t v43 = v40 | v42;
  const double v44 = to_real(v43);
  const bool v45 = v44 < v8;
  const double v46 = v45 ? v37 : v29;
  const std::uint64_t v47 = 0x3Eu;
  const std::uint64_t v48 = v39 << v47;
  const std::uint64_t v49 = 0x8000000000000000u;
  const std::uint64_t v50 = v48 & v49;
  const std::uint64_t v51 = to_bits(v46);
  const std::uint64_t v52 = v51 ^ v50;
  const double v53 = to_real(v52);
  const float v54 = static_cast<float>(v53);
  const float v55 = canonical(v54);
  return v55;
}

// x to the power y, with the exceptional cases of IEEE 754's pow; error at most 2 ulp.
[[gnu::always_inline]] static inline float pow(float v0, float v1) {
  const double v2 = static_cast<double>(v0);
  const double v3 = static_cast<double>(v1);
  const std::uint64_t v4 = to_bits(v2);
  const std::uint64_t v5 = 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t v6 = v4 & v5;
  const double v7 = to_real(v6);
  const double v8 = 0x0.0p+0;
  const bool v9 = v7 == v8;
  const std::uint64_t v10 = to_bits(v7);
  const std::uint64_t v11 = 0x95F619980C433u;
  const std::uint64_t v12 = v10 + v11;
  const std::uint64_t v13 = 0x34u;
  const std::uint64_t v14 = v12 >> v13;
  const std::uint64_t v15 = 0xFFFFFFFFFFFFFu;
  const std::uint64_t v16 = v12 & v15;
  const std::uint64_t v17 = 0x3FE6A09E667F3BCDu;
  const std::uint64_t v18 = v16 + v17;
  const std::uint64_t v19 = 0x4337FFFFFFFFFC01u;
  const std::uint64_t v20 = v14 + v19;
  const double v21 = to_real(v20);
  const double v22 = 0x1.8000000000000p+52;
  const double v23 = v21 - v22;
  const double v24 = to_real(v18);
  const double v25 = 0x1.0000000000000p+0;
  const double v26 = v24 - v25;
  const double v27 = 0x1.0000000000000p+1;
  const double v28 = v26 + v27;
  const double v29 = v26 / v28;
  const double v30 = v29 * v29;
  const double v31 = v29 + v29;
  const double v32 = 0x1.ddd8e0e1437ecp-4;
  const double v33 = 0x1.245c0b63947d9p-3;
  const double v34 = std::fma(v32, v30, v33);
  const double v35 = 0x1.9999ebfa4e133p-3;
  const double v36 = std::fma(v34, v30, v35);
  const double v37 = 0x1.5555554b924f1p-2;
  const double v38 = std::fma(v36, v30, v37);
  const double v39 = v30 * v38;
  const double v40 = std::fma(v31, v39, v31);
  const double v41 = 0x1.62e42fefa39efp-1;
  const double v42 = std::fma(v23, v41, v40);
  const double v43 = -std::numeric_limits<double>::infinity();
  const double v44 = v9 ? v43 : v42;
  const double v45 = std::numeric_limits<double>::infinity();
  const bool v46 = v7 < v45;
  const double v47 = v46 ? v44 : v7;
  const double v48 = -0x1.0000000000000p+40;
  const bool v49 = v3 < v48;
  const double v50 = v49 ? v48 : v3;
  const double v51 = 0x1.0000000000000p+40;
  const bool v52 = v51 < v50;
  const double v53 = v52 ? v51 : v50;
  const double v54 = v53 * v47;
  const double v55 = -0x1.2c00000000000p+7;
  const bool v56 = v54 < v55;
  const double v57 = v56 ? v55 : v54;
  const double v58 = 0x1.9000000000000p+6;
  const bool v59 = v58 < v57;
  const double v60 = v59 ? v58 : v57;
  const double v61 = 0x1.71547652b82fep+0;
  const double v62 = std::fma(v60, v61, v22);
  const double v63 = v62 - v22;
  const double v64 = -0x1.62e42fefa0000p-1;
  const double v65 = std::fma(v63, v64, v60);
  const double v66 = -0x1.cf79abc9e3b3ap-40;
  const double v67 = std::fma(v63, v66, v65);
  const double v68 = v67 * v67;
  const double v69 = 0x1.a15a6e51d4ce3p-16;
  const double v70 = 0x1.a1518010dd343p-13;
  const double v71 = std::fma(v69, v67, v70);
  const double v72 = 0x1.6c1652259a549p-10;
  const double v73 = std::fma(v71, v67, v72);
  const double v74 = 0x1.1110c62ee66e8p-7;
  const double v75 = std::fma(v73, v67, v74);
  const double v76 = 0x1.5555556f0d902p-5;
  const double v77 = std::fma(v75, v67, v76);
  const double v78 = 0x1.5555556754f69p-3;
  const double v79 = std::fma(v77, v67, v78);
  const double v80 = 0x1.fffffffffc095p-2;
  const double v81 = std::fma(v79, v67, v80);
  const double v82 = std::fma(v68, v81, v67);
  const std::uint64_t v83 = to_bits(v62);
  const std::uint64_t v84 = v83 << v13;
  const std::uint64_t v85 = to_bits(v25);
  const std::uint64_t v86 = v85 + v84;
  const double v87 = to_real(v86);
  const double v88 = std::fma(v87, v82, v87);
  const double v89 = std::rint(v3);
  const bool v90 = v89 == v3;
  const double v91 = 0x1.0000000000000p-1;
  const double v92 = v3 * v91;
  const double v93 = std::rint(v92);
  const bool v94 = v93 == v92;
  const double v95 = -0x0.0p+0;
  const double v96 = v94 ? v8 : v95;
  const double v97 = v90 ? v96 : v8;
  const std::uint64_t v98 = to_bits(v97);
  const std::uint64_t v99 = v4 & v98;
  const std::uint64_t v100 = to_bits(v88);
  const std::uint64_t v101 = v100 | v99;
  const double v102 = to_real(v101);
  const bool v103 = v2 == v43;
  const double v104 = std::numeric_limits<double>::quiet_NaN();
  const double v105 = v103 ? v102 : v104;
  const double v106 = v90 ? v102 : v105;
  const bool v107 = v2 < v8;
  const double v108 = v107 ? v106 : v102;
  const bool v109 = v3 == v8;
  const double v110 = v109 ? v25 : v108;
  const bool v111 = v2 == v25;
  const double v112 = v111 ? v25 : v110;
  const float v113 = static_cast<float>(v112);
  const float v114 = canonical(v113);
  return v114;
}

// 1 / (1 + e to the power -x); error at most 2 ulp.
[[gnu::always_inline]] static inline float sigmoid(float v0) {
  const double v1 = static_cast<double>(v0);
  const double v2 = -v1;
  const double v3 = -0x1.2c00000000000p+7;
  const bool v4 = v2 < v3;
  const double v5 = v4 ? v3 : v2;
  const double v6 = 0x1.2c00000000000p+7;
  const bool v7 = v6 < v5;
  const double v8 = v7 ? v6 : v5;
  const double v9 = 0x1.71547652b82fep+0;
  const double v10 = 0x1.8000000000000p+52;
  const double v11 = std::fma(v8, v9, v10);
  const double v12 = v11 - v10;
  const double v13 = -0x1.62e42fefa0000p-1;
  const double v14 = std::fma(v12, v13, v8);
  const double v15 = -0x1.cf79abc9e3b3ap-40;
  const double v16 = std::fma(v12, v15, v14);
  const double v17 = v16 * v16;
  const double v18 = 0x1.a15a6e51d4ce3p-16;
  const double v19 = 0x1.a1518010dd343p-13;
  const double v20 = std::fma(v18, v16, v19);
  const double v21 = 0x1.6c1652259a549p-10;
  const double v22 = std::fma(v20, v16, v21);
  const double v23 = 0x1.1110c62ee66e8p-7;
  const double v24 = std::fma(v22, v16, v23);
  const double v25 = 0x1.5555556f0d902p-5;
  const double v26 = std::fma(v24, v16, v25);
  const double v27 = 0x1.5555556754f69p-3;
  const double v28 = std::fma(v26, v16, v27);
  const double v29 = 0x1.fffffffffc095p-2;
  const double v30 = std::fma(v28, v16, v29);
  const double v31 = std::fma(v17, v30, v16);
  const std::uint64_t v32 = to_bits(v11);
  const std::uint64_t v33 = 0x34u;
  const std::uint64_t v34 = v32 << v33;
  const double v35 = 0x1.0000000000000p+0;
  const std::uint64_t v36 = to_bits(v35);
  const std::uint64_t v37 = v36 + v34;
  const double v38 = to_real(v37);
  const double v39 = std::fma(v38, v31, v38);
  const double v40 = v39 + v35;
  const double v41 = v35 / v40;
  const float v42 = static_cast<float>(v41);
  const float v43 = canonical(v42);
  return v43;
}

// x (1 + erf(x / sqrt 2)) / 2; gelu(-inf) = -0, its limit; error at most 2 ulp.
[[gnu::always_inline]] static inline float gelu(float v0) {
  const double v1 = static_cast<double>(v0);
  const std::uint64_t v2 = to_bits(v1);
  const std::uint64_t v3 = 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t v4 = v2 & v3;
  const double v5 = to_real(v4);
  const double v6 = 0x1.4000000000000p+4;
  const bool v7 = v6 < v5;
  const double v8 = v7 ? v6 : v5;
  const double v9 = v8 * v8;
  const double v10 = -0x1.0000000000000p-1;
  const double v11 = v9 * v10;
  const double v12 = 0x1.71547652b82fep+0;
  const double v13 = 0x1.8000000000000p+52;
  const double v14 = std::fma(v11, v12, v13);
  const double v15 = v14 - v13;
  const double v16 = -0x1.62e42fefa0000p-1;
  const double v17 = std::fma(v15, v16, v11);
  const double v18 = -0x1.cf79abc9e3b3ap-40;
  const double v19 = std::fma(v15, v18, v17);
  const double v20 = v19 * v19;
  const double v21 = 0x1.a15a6e51d4ce3p-16;
  const double v22 = 0x1.a1518010dd343p-13;
  const double v23 = std::fma(v21, v19, v22);
  const double v24 = 0x1.6c1652259a549p-10;
  const double v25 = std::fma(v23, v19, v24);
  const double v26 = 0x1.1110c62ee66e8p-7;
  const double v27 = std::fma(v25, v19, v26);
  const double v28 = 0x1.5555556f0d902p-5;
  const double v29 = std::fma(v27, v19, v28);
  const double v30 = 0x1.5555556754f69p-3;
  const double v31 = std::fma(v29, v19, v30);
  const double v32 = 0x1.fffffffffc095p-2;
  const double v33 = std::fma(v31, v19, v32);
  const double v34 = std::fma(v20, v33, v19);
  const std::uint64_t v35 = to_bits(v14);
  const std::uint64_t v36 = 0x34u;
  const std::uint64_t v37 = v35 << v36;
  const double v38 = 0x1.0000000000000p+0;
  const std::uint64_t v39 = to_bits(v38);
  const std::uint64_t v40 = v39 + v37;
  const double v41 = to_real(v40);
  const double v42 = 0x1.999999999999ap-3;
  const double v43 = std::fma(v8, v42, v38);
  const double v44 = v38 / v43;
  const double v45 = std::fma(v41, v34, v41);
  const double v46 = 0x1.733dadc8c358dp-6;
  const double v47 = -0x1.116c3883ac1e9p-3;
  const double v48 = std::fma(v46, v44, v47);
  const double v49 = 0x1.325c3edd8ea1ap-2;
  const double v50 = std::fma(v48, v44, v49);
  const double v51 = -0x1.694a9742d0aa7p-2;
  const double v52 = std::fma(v50, v44, v51);
  const double v53 = 0x1.529f06acee292p-2;
  const double v54 = std::fma(v52, v44, v53);
  const double v55 = -0x1.19fc031b678abp-3;
  const double v56 = std::fma(v54, v44, v55);
  const double v57 = 0x1.eefccdc9e352ep-4;
  const double v58 = std::fma(v56, v44, v57);
  const double v59 = 0x1.4df6998b73062p-5;
  const double v60 = std::fma(v58, v44, v59);
  const double v61 = 0x1.2fd27b9afb4b0p-4;
  const double v62 = std::fma(v60, v44, v61);
  const double v63 = 0x1.37ad63e3ccf2ap-4;
  const double v64 = std::fma(v62, v44, v63);
  const double v65 = 0x1.46f759db34131p-4;
  const double v66 = std::fma(v64, v44, v65);
  const double v67 = 0x1.46cefec64f270p-4;
  const double v68 = std::fma(v66, v44, v67);
  const double v69 = v44 * v68;
  const double v70 = v45 * v69;
  const double v71 = 0x0.0p+0;
  const bool v72 = v1 < v71;
  const double v73 = v38 - v70;
  const double v74 = v72 ? v70 : v73;
  const double v75 = -0x1.4000000000000p+4;
  const bool v76 = v1 < v75;
  const double v77 = v76 ? v75 : v1;
  const double v78 = v77 * v74;
  const float v79 = static_cast<float>(v78);
  const float v80 = canonical(v79);
  return v80;
}

}  // namespace tfmbs::special
