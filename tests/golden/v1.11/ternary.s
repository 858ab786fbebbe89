; tfb 1.11, requires VECTOR, TERNARY
; section              offset      bytes  align
; META                  0x580         46     64
; STRINGS               0x5c0        116     64
; TARGET                0x640       1682     64
; CODE                  0xd00        128     64
; PROGRAM               0xd80         64     64
; SIW                   0xdc0         64     64
; TENSOR                0xe00        512     64
; GEMM_GEOMETRY        0x1000        128     64
; SCHEDULE             0x1080         32     64
; MASK                 0x10c0         32     64
; ARGS                 0x1100          8     64
; ENTRY                0x1140         64     64
; IO_SIG               0x1180         64     64
; TELEMETRY            0x11c0         80     64
; WEIGHTS              0x2000        196   4096
; DEBUG                0x2100         32     64 optional

; META
.meta {
  "model": "ternary",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "q"
.string "y"
.string "z"
.string "pt5"
.string "t2"
.string "scale"
.string "factor"
.string "by_channel"
.string "by_scalar"
.string "f"
.string "main"
.string "node f"
.string "node q"

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
.descriptor kind=GEMV lhs=%0 rhs=%4 out=%2 geometry=%0 schedule=%0 mask=%0 program=%0 args_count=1 telemetry=%0 name="f" ; 0: lhs "x", rhs "pt5", out "y", w0 "scale"
.descriptor kind=GEMV lhs=%1 rhs=%5 out=%3 geometry=%1 schedule=%0 mask=%0 program=%1 args_first=1 args_count=1 signal=1 telemetry=%1 name="q" ; 1: lhs "q", rhs "t2", out "z", w0 "factor"

; PROGRAM
.program kind=EPILOGUE windows=1 word_count=2 name="by_channel" max_steps=2 ; 0
.program kind=EPILOGUE windows=1 first_word=2 word_count=2 name="by_scalar" max_steps=2 ; 1

; SIW
; program "by_channel"
  LD.F32 v1, w0, s2, s3, 0 ; 0
  MUL.F32 v0, v0, v1 | END | deps LOAD ; 1
; program "by_scalar"
  CVT.F32 v0, v0, I32 | LD.F32 v1, w0, s0, s0, 0 ; 2
  MUL.F32 v0, v0, v1 | END | deps LOAD ; 3

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=52 dims=[1, 13] name="x" ; 0
.tensor region=INPUT dtype=I8 packing=DENSE rank=2 slot=1 bytes=9 dims=[1, 9] name="q" ; 1
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=28 dims=[1, 7] name="y" ; 2
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 slot=1 bytes=20 dims=[1, 5] name="z" ; 3
.tensor region=WEIGHTS dtype=TRIT packing=PT5 rank=2 bytes=21 dims=[7, 13] name="pt5" ; 4
.tensor region=WEIGHTS dtype=TRIT packing=T2 rank=2 offset=64 bytes=15 dims=[5, 9] name="t2" ; 5
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=1 offset=128 bytes=28 dims=[7] name="scale" ; 6
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=1 offset=192 bytes=4 dims=[1] name="factor" ; 7

; GEMM_GEOMETRY
.gemm_geometry batch=1 m=1 n=7 k=13 lhs_m_stride=13 lhs_k_stride=1 rhs_n_stride=13 rhs_k_stride=1 ; 0
.gemm_geometry batch=1 m=1 n=5 k=9 lhs_m_stride=9 lhs_k_stride=1 rhs_n_stride=9 rhs_k_stride=1 lhs_zero=-3 ; 1

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=1 tile_n=8 tile_k=16 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 6, 7 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=2 outputs_first=2 outputs_count=2 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="q" tensor=%1 ; 1
.io name="y" tensor=%2 ; 2
.io name="z" tensor=%3 ; 3

; TELEMETRY
.telemetry layer="f" mask=%0 zero_count=36 total=91 sparsity=0.3956044018268585 fusion_order=-1 ; 0
.telemetry layer="q" mask=%0 zero_count=15 total=45 sparsity=0.3333333432674408 fusion_order=-1 ; 1

; WEIGHTS
; 0x0: tensor 4
.trits PT5 +---0+0-00+++
.trits PT5 -+-0--0-0--+0
.trits PT5 +++0-0++++00-
.trits PT5 --000+++++-++
.trits PT5 -00++-0-+-0+0
.trits PT5 +0+000000+00+
.trits PT5 -00+00-+00-+0
.zero 43
; 0x40: tensor 5
.trits T2 0+0----0-
.trits T2 0+00-+-+0
.trits T2 0+++0-++0
.trits T2 0-+-0-+0-
.trits T2 ---++0--0
.zero 49
; 0x80: tensor 6
.f32 0.48849857, 0.6202724, 0.5040145, 0.9373431, 0.7503966, 0.5744665, 0.61727214
.zero 36
; 0xc0: tensor 7
.f32 0.125

; DEBUG
.debug descriptor=%0 location="node f" ; 0
.debug descriptor=%1 location="node q" ; 1
