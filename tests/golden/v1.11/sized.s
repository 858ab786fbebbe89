; tfb 1.11, requires VECTOR, STATE
; section              offset      bytes  align
; META                  0x6c0         44     64
; STRINGS               0x700        110     64
; TARGET                0x780       1682     64
; CODE                  0xe40        384     64
; PROGRAM               0xfc0         64     64
; SIW                  0x1000        320     64
; TENSOR               0x1140        448     64
; GEMM_GEOMETRY        0x1300        128     64
; SCHEDULE             0x1380         64     64
; MASK                 0x13c0         32     64
; ARGS                 0x1400         16     64
; WAITS                0x1440         16     64
; ENTRY                0x1480        128     64
; STATE                0x1500         32     64
; IO_SIG               0x1540         96     64
; WEIGHTS              0x2000        192   4096
; DEBUG                0x20c0         96     64 optional
; SIZES                0x2140         32     64
; PATCHES              0x2180        192     64
; TERMS                0x2240         80     64

; META
.meta {
  "model": "sized",
  "producer": "golden corpus"
}

; STRINGS
.string "w"
.string "total"
.string "sums"
.string "x"
.string "y"
.string "product"
.string "show"
.string "main"
.string "n"
.string "node product"
.string "node sums"
.string "node show"

; TARGET
.target {
  "array": {
    "columns": 8,
    "dataflows": [
      "output_stationary",
      "weight_stationary",
      "input_stationary"
    ],
    "operands": [
      "f32",
      "i8",
      "trit",
      "i4"
    ],
    "rows": 8
  },
  "block_mover": {
    "clock": "memory",
    "count": 2,
    "width_bytes": 16
  },
  "clocks": {
    "core_mhz": 1000.0,
    "external_mhz": 500.0,
    "memory_mhz": 500.0
  },
  "description": "one 8x8 array, the smallest fabric that runs everything",
  "dma": {
    "clock": "memory",
    "count": 1,
    "width_bytes": 16
  },
  "energy": {
    "per_byte": {
      "external": 12.0,
      "l1_read": 0.2,
      "l1_write": 0.3,
      "l2": 0.7,
      "l3": 1.5
    },
    "per_op": {
      "mac_f32": 0.8,
      "mac_i8": 0.25,
      "mac_trit": 0.08,
      "vector_f32": 0.4,
      "vector_i32": 0.08
    },
    "profile": "kpu-16nm",
    "source": "KPU design notes, 16 nm, uncited there: multiply-accumulates; the accumulate of i8, also for trits and i32 vector operations; for f32 vector operations half of an f32 multiply-accumulate; LPDDR5 of the KPU design notes, uncited there"
  },
  "external": {
    "channels": 1,
    "gbytes_per_second": 8.0,
    "kind": "LPDDR5"
  },
  "features": [
    "epilogue",
    "pt5",
    "t2",
    "conv2d",
    "pool",
    "conv3d",
    "attention",
    "lstm",
    "int4",
    "groups",
    "sparse",
    "residues",
    "abreast"
  ],
  "kind": "array",
  "l1": {
    "bank_bytes": 8192,
    "banks": 4,
    "clock": "core",
    "width_bytes": 16
  },
  "l2": {
    "bank_bytes": 32768,
    "banks": 4,
    "clock": "memory",
    "width_bytes": 16
  },
  "l3": {
    "bank_bytes": 65536,
    "banks": 4,
    "clock": "memory",
    "width_bytes": 16
  },
  "name": "kpu-minimal",
  "streamer": {
    "clock": "memory",
    "count": 4,
    "width_bytes": 16
  },
  "tiles": 1,
  "vector": {
    "cycles": {
      "div": 8,
      "gather": 2,
      "software": 24,
      "special": 4
    },
    "functions": [
      "rsqrt",
      "exp",
      "log",
      "tanh",
      "erf",
      "sin",
      "cos",
      "sigmoid",
      "gelu"
    ],
    "lanes": 4,
    "latency": {
      "alu": 4,
      "div": 20,
      "memory": 10,
      "scan": 4,
      "special": 24,
      "store": 4
    },
    "types": [
      "bool",
      "i8",
      "u8",
      "i16",
      "u16",
      "i32",
      "u32",
      "i64",
      "u64",
      "f16",
      "bf16",
      "f32",
      "f64"
    ]
  },
  "zero_skip": [
    "none",
    "energy"
  ]
}

; CODE
.descriptor kind=GEMM lhs=%3 rhs=%0 out=%4 geometry=%0 schedule=%0 mask=%0 name="product" ; 0: lhs "x", rhs "w", out "y"
.descriptor kind=VECTOR waits_count=1 mask=%0 program=%0 args_count=2 signal=1 name="sums" ; 1: w0 "y", w1 "total", after [0]
.descriptor kind=COPY waits_count=1 lhs=%1 out=%2 mask=%0 args_first=2 waits_first=1 signal=2 name="show" ; 2: lhs "total", out "sums", after [1]
.descriptor kind=GEMV lhs=%5 rhs=%0 out=%6 geometry=%1 schedule=%1 mask=%0 args_first=2 waits_first=2 signal=3 name="product" ; 3: lhs "x", rhs "w", out "y"
.descriptor kind=VECTOR waits_count=1 mask=%0 program=%1 args_first=2 args_count=2 waits_first=2 signal=4 name="sums" ; 4: w0 "y", w1 "total", after [3]
.descriptor kind=COPY waits_count=1 lhs=%1 out=%2 mask=%0 args_first=4 waits_first=3 signal=5 name="show" ; 5: lhs "total", out "sums", after [4]

; PROGRAM
.program kind=VECTOR windows=2 word_count=10 name="sums" max_steps=25 ; 0
.program kind=VECTOR windows=2 first_word=10 word_count=10 name="sums" max_steps=10 ; 1

; SIW
; program "sums"
  LI s1, 0 | SETVL 6 ; 0
  LIH s1, 6 ; 1
  LI s3, 1 ; 2
  LI s4, 0 ; 3
  LD.F32 v1, w1, s0, s3, 0 | LOOP s1, 3 ; 4
  LD.F32 v2, w0, s4, s3, 0 ; 5
  ADDI s4, s4, 6 ; 6
  ADD.F32 v1, v1, v2 | deps LOAD ; 7
  ST.F32 v1, w1, s0, s3, 0 | deps COMPUTE+LOAD ; 8
  END ; 9
; program "sums"
  LI s1, 0 | SETVL 6 ; 10
  LIH s1, 1 ; 11
  LI s3, 1 ; 12
  LI s4, 0 ; 13
  LD.F32 v1, w1, s0, s3, 0 | LOOP s1, 3 ; 14
  LD.F32 v2, w0, s4, s3, 0 ; 15
  ADDI s4, s4, 6 ; 16
  ADD.F32 v1, v1, v2 | deps LOAD ; 17
  ST.F32 v1, w1, s0, s3, 0 | deps COMPUTE+LOAD ; 18
  END ; 19

; TENSOR
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 bytes=192 dims=[6, 8] name="w" ; 0
.tensor region=STATE dtype=F32 packing=DENSE rank=1 bytes=24 dims=[6] name="total" ; 1
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=1 slot=1 bytes=24 dims=[6] name="sums" ; 2
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=192 dims=[6, 8] name="x" ; 3
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=144 dims=[6, 6] name="y" ; 4
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=32 dims=[1, 8] name="x" ; 5
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=24 dims=[1, 6] name="y" ; 6

; GEMM_GEOMETRY
.gemm_geometry batch=1 m=6 n=6 k=8 lhs_m_stride=8 lhs_k_stride=1 rhs_n_stride=8 rhs_k_stride=1 ; 0
.gemm_geometry batch=1 m=1 n=6 k=8 lhs_m_stride=8 lhs_k_stride=1 rhs_n_stride=8 rhs_k_stride=1 ; 1

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=8 ; 0
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=8 ; 1

; MASK
.mask words=[1] ; 0

; ARGS
.args 4, 1, 6, 1 ; 0

; WAITS
.waits 0, 1, 3, 4 ; 0

; ENTRY
.entry name="main" descriptor_count=3 inputs_count=1 outputs_first=1 outputs_count=2 ; 0
.entry name="main" first_descriptor=3 descriptor_count=3 inputs_first=3 inputs_count=1 outputs_first=4 outputs_count=2 ; 1

; STATE
.state name="total" bytes=24 ; 0

; IO_SIG
.io name="x" tensor=%3 ; 0
.io name="y" tensor=%4 ; 1
.io name="sums" tensor=%2 ; 2
.io name="x" tensor=%5 ; 3
.io name="y" tensor=%6 ; 4
.io name="sums" tensor=%2 ; 5

; WEIGHTS
; 0x0: tensor 0
.f32 -0.80283695, 0.2428499, -1.6563455, 0.65610486, 1.143453, -0.452611, 0.43048576, 0.25093257
.f32 -0.39435205, -0.8624049, -2.0325525, 1.4104235, -0.047632236, 2.5223274, 0.82621825, 0.27778053
.f32 -0.65743107, 1.3924692, -0.5062891, 1.5699492, -0.3983613, 0.18595393, -1.5226704, 2.3432324
.f32 -0.09402583, -0.3851136, 0.81084764, -0.89137185, 0.7676073, -1.1712404, 0.5452418, -1.0441263
.f32 -1.8370681, -0.5937676, -1.4639144, 0.5532782, 0.021671116, 0.5094465, 0.09130283, -0.35385904
.f32 0.02812934, 1.052489, -0.18313083, -0.76204723, -0.9699016, -0.22172613, -0.7497393, 1.8806323

; DEBUG
.debug descriptor=%0 location="node product" ; 0
.debug descriptor=%1 location="node sums" ; 1
.debug descriptor=%2 location="node show" ; 2
.debug descriptor=%3 location="node product" ; 3
.debug descriptor=%4 location="node sums" ; 4
.debug descriptor=%5 location="node show" ; 5

; SIZES
.size entry=%0 name="n" low=2 high=6 ; 0
.size entry=%1 name="n" low=1 high=1 ; 1

; PATCHES
.patch entry=%0 divisor=1 term_count=2 section=PROGRAM at=16 ; 0: PROGRAM[0].max_steps = 3·n + 7
.patch entry=%0 first_term=2 divisor=1 term_count=1 section=SIW at=71 shift=17 ; 1: SIW[0].s_imm = bits 17… of n
.patch entry=%0 row=1 first_term=2 divisor=1 term_count=1 section=SIW at=71 part=1 ; 2: SIW[1].s_imm = bits 0…16 of n
.patch entry=%0 row=3 first_term=3 divisor=1 term_count=1 section=TENSOR at=16 ; 3: TENSOR[3].bytes = 32·n
.patch entry=%0 row=3 first_term=2 divisor=1 term_count=1 section=TENSOR at=24 ; 4: TENSOR[3].dims[0] = n
.patch entry=%0 row=4 first_term=4 divisor=1 term_count=1 section=TENSOR at=16 ; 5: TENSOR[4].bytes = 24·n
.patch entry=%0 row=4 first_term=2 divisor=1 term_count=1 section=TENSOR at=24 ; 6: TENSOR[4].dims[0] = n
.patch entry=%0 first_term=2 divisor=1 term_count=1 section=GEMM_GEOMETRY at=4 ; 7: GEMM_GEOMETRY[0].m = n

; TERMS
.term coefficient=3 degrees=[1] ; 0
.term coefficient=7 ; 1
.term coefficient=1 degrees=[1] ; 2
.term coefficient=32 degrees=[1] ; 3
.term coefficient=24 degrees=[1] ; 4
