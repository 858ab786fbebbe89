; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x540         44     64
; STRINGS               0x580        100     64
; TARGET                0x600       1682     64
; CODE                  0xcc0        128     64
; PROGRAM               0xd40         32     64
; SIW                   0xd80        192     64
; TENSOR                0xe40        384     64
; GEMM_GEOMETRY         0xfc0         64     64
; SCHEDULE             0x1000         32     64
; MASK                 0x1040         32     64
; ARGS                 0x1080         12     64
; ENTRY                0x10c0         64     64
; IO_SIG               0x1100         80     64
; WEIGHTS              0x2000         24   4096
; DEBUG                0x2040         32     64 optional

; META
.meta {
  "model": "mixed",
  "producer": "golden corpus"
}

; STRINGS
.string "a"
.string "w"
.string "x"
.string "p"
.string "y"
.string "order"
.string "product"
.string "permute"
.string "main"
.string "node product"
.string "node permute"

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
.descriptor kind=GEMM lhs=%0 rhs=%1 out=%3 geometry=%0 schedule=%0 mask=%0 name="product" ; 0: lhs "a", rhs "w", out "p"
.descriptor kind=VECTOR mask=%0 program=%0 args_count=3 signal=1 name="permute" ; 1: w0 "x", w1 "order", w2 "y"

; PROGRAM
.program kind=VECTOR windows=3 word_count=12 name="permute" max_steps=26 ; 0

; SIW
; program "permute"
  LI s1, 2 | SETVL 6 ; 0
  LI s3, 1 ; 1
  LI s4, 0 ; 2
  LIH s4, 6 ; 3
  LD.I32 v1, w1, s0, s3, 0 | SETVLR s4 ; 4
  LI s5, 2 | LOOP s1, 5 ; 5
  LOOP s5, 4 ; 6
  GATHER.I8 v2, w0, s2, v1, 0 | deps LOAD ; 7
  CVT.I16 v3, v2, I8 | deps LOAD ; 8
  TACC.I32 v3, v2, v1 | SCATTER.I32 v3, w2, s2, v1, 0 ; 9
  SADD s2, s2, s4 ; 10
  END ; 11

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=3 bytes=64 dims=[2, 2, 4] name="a" ; 0
.tensor region=INPUT dtype=F32 packing=DENSE rank=3 slot=1 bytes=96 dims=[2, 4, 3] name="w" ; 1
.tensor region=INPUT dtype=I8 packing=DENSE rank=2 slot=2 bytes=24 dims=[4, 6] name="x" ; 2
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=3 bytes=48 dims=[2, 2, 3] name="p" ; 3
.tensor region=OUTPUT dtype=I32 packing=DENSE rank=2 slot=1 bytes=96 dims=[4, 6] name="y" ; 4
.tensor region=WEIGHTS dtype=I32 packing=DENSE rank=1 bytes=24 dims=[6] name="order" ; 5

; GEMM_GEOMETRY
.gemm_geometry batch=2 m=2 n=3 k=4 lhs_batch_stride=8 lhs_m_stride=4 lhs_k_stride=1 rhs_batch_stride=12 rhs_n_stride=1 rhs_k_stride=3 ; 0

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=2 tile_n=3 tile_k=4 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 2, 5, 4 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=3 outputs_first=3 outputs_count=2 ; 0

; IO_SIG
.io name="a" tensor=%0 ; 0
.io name="w" tensor=%1 ; 1
.io name="x" tensor=%2 ; 2
.io name="p" tensor=%3 ; 3
.io name="y" tensor=%4 ; 4

; WEIGHTS
; 0x0: tensor 5
.i32 3, 1, 5, 0, 2, 4

; DEBUG
.debug descriptor=%0 location="node product" ; 0
.debug descriptor=%1 location="node permute" ; 1
