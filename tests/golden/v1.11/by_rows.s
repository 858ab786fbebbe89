; tfb 1.11, requires nothing
; section              offset      bytes  align
; META                  0x440         46     64
; STRINGS               0x480         60     64
; TARGET                0x4c0       1682     64
; CODE                  0xb80         64     64
; TENSOR                0xbc0        320     64
; SCHEDULE              0xd00         32     64
; MASK                  0xd40         32     64
; ARGS                  0xd80          4     64
; ENTRY                 0xdc0         64     64
; IO_SIG                0xe00         32     64
; DEBUG                 0xe40         16     64 optional
; ATTENTION             0xe80        112     64

; META
.meta {
  "model": "by_rows",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "y"
.string "q"
.string "k"
.string "v"
.string "heads"
.string "main"
.string "node heads"

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
.descriptor kind=ATTENTION lhs=%2 rhs=%3 out=%1 geometry=%0 schedule=%0 mask=%0 args_count=1 name="heads" ; 0: lhs "q", rhs "k", out "y", w0 "v"

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=4 bytes=1920 dims=[2, 5, 2, 24] name="x" ; 0
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=4 bytes=640 dims=[2, 5, 2, 8] name="y" ; 1
.tensor region=INPUT dtype=F32 packing=DENSE rank=1 bytes=1920 dims=[480] name="q" ; 2
.tensor region=INPUT dtype=F32 packing=DENSE rank=1 offset=32 bytes=1888 dims=[472] name="k" ; 3
.tensor region=INPUT dtype=F32 packing=DENSE rank=1 offset=64 bytes=1856 dims=[464] name="v" ; 4

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=16 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 4 ; 0

; ENTRY
.entry name="main" descriptor_count=1 inputs_count=1 outputs_first=1 outputs_count=1 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="y" tensor=%1 ; 1

; DEBUG
.debug descriptor=%0 location="node heads" ; 0

; ATTENTION
.attention_geometry batch=2 groups=2 shared=1 rows=5 columns=5 width=8 value_width=8 lhs_batch_stride=240 lhs_head_stride=24 lhs_row_stride=48 lhs_stride=1 rhs_batch_stride=240 rhs_group_stride=24 rhs_row_stride=48 rhs_stride=1 value_batch_stride=240 value_group_stride=24 value_row_stride=48 value_stride=1 scale=0.375 fill=-inf mask=NONE causal=1 out_by_rows=1 ; 0
