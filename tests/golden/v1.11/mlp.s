; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x600         42     64
; STRINGS               0x640        128     64
; TARGET                0x6c0       1682     64
; CODE                  0xd80        128     64
; PROGRAM               0xe00         32     64
; SIW                   0xe40         48     64
; TENSOR                0xe80        384     64
; GEMM_GEOMETRY        0x1000        128     64
; SCHEDULE             0x1080         32     64
; MASK                 0x10c0         32     64
; ARGS                 0x1100          4     64
; WAITS                0x1140          4     64
; ENTRY                0x1180         64     64
; IO_SIG               0x11c0         32     64
; TELEMETRY            0x1200         40     64
; WEIGHTS              0x2000        328   4096
; DEBUG                0x2180         32     64 optional
; ORIGIN               0x21c0         32     64 optional

; META
.meta {
  "model": "mlp",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "y"
.string "hidden"
.string "w1"
.string "bias"
.string "w2"
.string "bias_relu"
.string "fc1"
.string "fc2"
.string "node add"
.string "node relu"
.string "main"
.string "node fc1"
.string "node fc2"

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
.descriptor kind=GEMM lhs=%0 rhs=%3 out=%2 geometry=%0 schedule=%0 mask=%0 program=%0 args_count=1 telemetry=%0 name="fc1" ; 0: lhs "x", rhs "w1", out "hidden", w0 "bias"
.descriptor kind=GEMM waits_count=1 lhs=%2 rhs=%5 out=%1 geometry=%1 schedule=%0 mask=%0 args_first=1 signal=1 name="fc2" ; 1: lhs "hidden", rhs "w2", out "y", after [0]

; PROGRAM
.program kind=EPILOGUE windows=1 word_count=3 name="bias_relu" max_steps=3 ; 0

; SIW
; program "bias_relu"
  LD.F32 v1, w0, s2, s3, 0 ; 0
  ADD.F32 v0, v0, v1 | deps LOAD ; 1
  MAX.F32 v0, v0, v2 | END ; 2

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=64 dims=[2, 8] name="x" ; 0
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=24 dims=[2, 3] name="y" ; 1
.tensor region=SCRATCH dtype=F32 packing=DENSE rank=2 bytes=48 dims=[2, 6] name="hidden" ; 2
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 bytes=192 dims=[6, 8] name="w1" ; 3
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=1 offset=192 bytes=24 dims=[6] name="bias" ; 4
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 offset=256 bytes=72 dims=[3, 6] name="w2" ; 5

; GEMM_GEOMETRY
.gemm_geometry batch=1 m=2 n=6 k=8 lhs_m_stride=8 lhs_k_stride=1 rhs_n_stride=8 rhs_k_stride=1 ; 0
.gemm_geometry batch=1 m=2 n=3 k=6 lhs_m_stride=6 lhs_k_stride=1 rhs_n_stride=6 rhs_k_stride=1 ; 1

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=8 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 4 ; 0

; WAITS
.waits 0 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=1 outputs_first=1 outputs_count=1 scratch_bytes=48 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="y" tensor=%1 ; 1

; TELEMETRY
.telemetry layer="fc1" mask=%0 fusion_order=-1 ; 0

; WEIGHTS
; 0x0: tensor 3
.f32 0.34558418, 0.82161814, 0.33043706, -1.3031572, 0.9053559, 0.44637457, -0.5369532, 0.5811181
.f32 0.3645724, 0.2941325, 0.028422242, 0.546713, -0.73645407, -0.16290995, -0.48211932, 0.5988462
.f32 0.039722107, -0.29245675, -0.78190845, -0.25719225, 0.008142181, -0.2756029, 1.2940638, 1.0067244
.f32 -2.7111626, -1.8890133, -0.1747721, -0.4221904, 0.213643, 0.21732193, 2.1178389, -1.1120207
.f32 -0.37760502, 2.0427716, 0.646703, 0.66306335, -0.5140064, -1.6480752, 0.16746475, 0.10901409
.f32 -1.227352, -0.68322664, -0.07204368, -0.9447516, -0.09826997, 0.09548303, 0.035586238, -0.5062917
; 0xc0: tensor 4
.f32 0.5937481, 0.8911669, 0.32084832, -0.8182302, 0.73165226, -0.50144005
.zero 40
; 0x100: tensor 5
.f32 0.87916064, -1.0717874, 0.9144672, -0.020063454, -1.2487489, -0.31389946, 0.05410228, 0.27279133
.f32 -0.9821881, -1.107373, 0.19958453, -0.4667496, 0.23550561, 0.7595195, -1.6487874, 0.25438812
.f32 1.2246469, -0.29752684

; DEBUG
.debug descriptor=%0 location="node fc1" ; 0
.debug descriptor=%1 location="node fc2" ; 1

; ORIGIN
.origin descriptor=%0 location="node add" word_count=2 slots=3 ; 0
.origin descriptor=%0 location="node relu" first_word=2 word_count=1 slots=1 ; 1
