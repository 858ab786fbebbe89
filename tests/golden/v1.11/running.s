; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x4c0         46     64
; STRINGS               0x500        117     64
; TARGET                0x580       1682     64
; CODE                  0xc40        128     64
; PROGRAM               0xcc0         64     64
; SIW                   0xd00        352     64
; TENSOR                0xe80        448     64
; MASK                 0x1040         32     64
; ARGS                 0x1080         32     64
; WAITS                0x10c0          4     64
; ENTRY                0x1100         64     64
; IO_SIG               0x1140         80     64
; WEIGHTS              0x2000        320   4096
; DEBUG                0x2140         32     64 optional

; META
.meta {
  "model": "running",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "order"
.string "sums"
.string "half"
.string "brain"
.string "wide"
.string "most"
.string "running"
.string "widen"
.string "main"
.string "node running"
.string "node widen"

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
.descriptor kind=VECTOR mask=%0 program=%0 args_count=6 name="running" ; 0: w0 "x", w1 "order", w2 "sums", w3 "half", w4 "brain", w5 "most"
.descriptor kind=VECTOR waits_count=1 mask=%0 program=%1 args_first=6 args_count=2 signal=1 name="widen" ; 1: w0 "brain", w1 "wide", after [0]

; PROGRAM
.program kind=VECTOR windows=6 word_count=18 name="running" max_steps=62 ; 0
.program kind=VECTOR windows=2 first_word=18 word_count=4 name="widen" max_steps=4 ; 1

; SIW
; program "running"
  LI s1, 5 | SETVL 8 ; 0
  LI s2, 1 ; 1
  LOOP s1, 11 ; 2
  LD.I64 v4, w1, s3, s2, 0 | RECV.F64 v2, w0 ; 3
  GATHER64.F64 v6, w0, s0, v4, 0 | deps LOAD-1 ; 4
  FMA.F64 v8, v2, v6, v6 | SGET.I64 s4, v4 | deps LOAD ; 5
  SCAN.F64 v10, v8, v12, SUM | ADDI s3, s3, 8 | CAST.F16 v14, v8, F64 ; 6
  REDUCE.F64 v18, v8, MAX ; 7
  SKIP s4, 2 ; 8
  NEG.F64 v10, v10 | deps COMPUTE ; 9
  CVT.BF16 v15, v10, F64 ; 10
  LAST64 v12, v10 | SEND.F64 v10, w2 | deps COMPUTE ; 11
  ST.F16 v14, w3, s3, s2, -8 ; 12
  ST.BF16 v15, w4, s3, s2, -8 ; 13
  FOLD.F64 v20, v18, MAX ; 14
  SETVL 1 ; 15
  ST.F64 v20, w5, s0, s0, 0 ; 16
  END ; 17
; program "widen"
  SETVL 40 ; 18
  RECV.BF16 v0, w0 ; 19
  SEND.F32 v0, w1 | deps LOAD ; 20
  END ; 21

; TENSOR
.tensor region=INPUT dtype=F64 packing=DENSE rank=2 bytes=320 dims=[5, 8] name="x" ; 0
.tensor region=WEIGHTS dtype=I64 packing=DENSE rank=1 bytes=320 dims=[40] name="order" ; 1
.tensor region=OUTPUT dtype=F64 packing=DENSE rank=2 bytes=320 dims=[5, 8] name="sums" ; 2
.tensor region=OUTPUT dtype=F16 packing=DENSE rank=1 slot=1 bytes=80 dims=[40] name="half" ; 3
.tensor region=SCRATCH dtype=BF16 packing=DENSE rank=1 bytes=80 dims=[40] name="brain" ; 4
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=1 slot=2 bytes=160 dims=[40] name="wide" ; 5
.tensor region=OUTPUT dtype=F64 packing=DENSE rank=1 slot=3 bytes=8 dims=[1] name="most" ; 6

; MASK
.mask words=[1] ; 0

; ARGS
.args 0, 1, 2, 3, 4, 6, 4, 5 ; 0

; WAITS
.waits 0 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=1 outputs_first=1 outputs_count=4 scratch_bytes=128 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="sums" tensor=%2 ; 1
.io name="half" tensor=%3 ; 2
.io name="wide" tensor=%5 ; 3
.io name="most" tensor=%6 ; 4

; WEIGHTS
; 0x0: tensor 1
.i64 4, 0, 28, 20, 30, 10, 12, 32
.i64 19, 9, 14, 22, 27, 38, 3, 24
.i64 39, 26, 13, 17, 18, 36, 35, 37
.i64 8, 7, 1, 33, 15, 29, 6, 16
.i64 23, 25, 5, 2, 31, 34, 21, 11

; DEBUG
.debug descriptor=%0 location="node running" ; 0
.debug descriptor=%1 location="node widen" ; 1
