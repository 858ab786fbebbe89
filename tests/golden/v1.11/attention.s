; tfb 1.11, requires nothing
; section              offset      bytes  align
; META                  0x440         48     64
; STRINGS               0x480         92     64
; TARGET                0x500       1682     64
; CODE                  0xbc0        128     64
; TENSOR                0xc40        384     64
; SCHEDULE              0xdc0         32     64
; MASK                  0xe00         32     64
; ARGS                  0xe40         12     64
; ENTRY                 0xe80         64     64
; IO_SIG                0xec0         96     64
; DEBUG                 0xf40         32     64 optional
; ATTENTION             0xf80        224     64

; META
.meta {
  "model": "attention",
  "producer": "golden corpus"
}

; STRINGS
.string "q"
.string "k"
.string "v"
.string "m"
.string "y"
.string "z"
.string "causal"
.string "chosen"
.string "main"
.string "node causal"
.string "node chosen"

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
.descriptor kind=ATTENTION lhs=%0 rhs=%1 out=%4 geometry=%0 schedule=%0 mask=%0 args_count=1 name="causal" ; 0: lhs "q", rhs "k", out "y", w0 "v"
.descriptor kind=ATTENTION lhs=%0 rhs=%1 out=%5 geometry=%1 schedule=%0 mask=%0 args_first=1 args_count=2 signal=1 name="chosen" ; 1: lhs "q", rhs "k", out "z", w0 "v", w1 "m"

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=4 bytes=640 dims=[1, 4, 5, 8] name="q" ; 0
.tensor region=INPUT dtype=F32 packing=DENSE rank=4 slot=1 bytes=448 dims=[1, 2, 7, 8] name="k" ; 1
.tensor region=INPUT dtype=F32 packing=DENSE rank=4 slot=2 bytes=336 dims=[1, 2, 7, 6] name="v" ; 2
.tensor region=INPUT dtype=BOOL packing=DENSE rank=2 slot=3 bytes=35 dims=[5, 7] name="m" ; 3
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=4 bytes=480 dims=[1, 4, 5, 6] name="y" ; 4
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=4 slot=1 bytes=480 dims=[1, 4, 5, 6] name="z" ; 5

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=16 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 2, 2, 3 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=4 outputs_first=4 outputs_count=2 ; 0

; IO_SIG
.io name="q" tensor=%0 ; 0
.io name="k" tensor=%1 ; 1
.io name="v" tensor=%2 ; 2
.io name="m" tensor=%3 ; 3
.io name="y" tensor=%4 ; 4
.io name="z" tensor=%5 ; 5

; DEBUG
.debug descriptor=%0 location="node causal" ; 0
.debug descriptor=%1 location="node chosen" ; 1

; ATTENTION
.attention_geometry batch=1 groups=2 shared=2 rows=5 columns=7 width=8 value_width=6 lhs_batch_stride=160 lhs_head_stride=40 lhs_row_stride=8 lhs_stride=1 rhs_batch_stride=112 rhs_group_stride=56 rhs_row_stride=8 rhs_stride=1 value_batch_stride=84 value_group_stride=42 value_row_stride=6 value_stride=1 scale=0.375 fill=-inf offset=2 mask=NONE causal=1 ; 0
.attention_geometry batch=1 groups=2 shared=2 rows=5 columns=7 width=8 value_width=6 lhs_batch_stride=160 lhs_head_stride=40 lhs_row_stride=8 lhs_stride=1 rhs_batch_stride=112 rhs_group_stride=56 rhs_row_stride=8 rhs_stride=1 value_batch_stride=84 value_group_stride=42 value_row_stride=6 value_stride=1 mask_row_stride=7 mask_column_stride=1 scale=1.0 fill=-3.4028234663852886e+38 mask=SELECT clear=1 ; 1
