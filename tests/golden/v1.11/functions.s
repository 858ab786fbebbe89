; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x480         48     64
; STRINGS               0x4c0         74     64
; TARGET                0x540       1682     64
; CODE                  0xc00         64     64
; PROGRAM               0xc40         32     64
; SIW                   0xc80        944     64
; TENSOR               0x1040        256     64
; MASK                 0x1140         32     64
; ARGS                 0x1180         16     64
; ENTRY                0x11c0         64     64
; IO_SIG               0x1200         48     64
; WEIGHTS              0x2000          8   4096
; DEBUG                0x2040         16     64 optional

; META
.meta {
  "model": "functions",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "wide"
.string "narrow"
.string "half"
.string "functions"
.string "main"
.string "node functions"

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
.descriptor kind=VECTOR mask=%0 program=%0 args_count=4 name="functions" ; 0: w0 "x", w1 "wide", w2 "narrow", w3 "half"

; PROGRAM
.program kind=VECTOR windows=4 word_count=59 name="functions" max_steps=59 ; 0

; SIW
; program "functions"
  LI s1, 1 | SETVL 64 ; 0
  LD.F64 v0, w0, s0, s1, 0 ; 1
  LD.F64 v2, w3, s0, s0, 0 ; 2
  MUL.F64 v0, v0, v2 | deps LOAD ; 3
  CVT.F32 v4, v0, F64 ; 4
  CVT.F32 v5, v2, F64 ; 5
  RSQRT.F64 v6, v0 | deps COMPUTE ; 6
  RSQRT.F32 v8, v4 | deps COMPUTE ; 7
  SEND.F64 v6, w1 | deps COMPUTE ; 8
  SEND.F32 v8, w2 ; 9
  EXP.F64 v6, v0 | deps COMPUTE ; 10
  EXP.F32 v8, v4 | deps COMPUTE ; 11
  SEND.F64 v6, w1 | deps COMPUTE ; 12
  SEND.F32 v8, w2 ; 13
  LOG.F64 v6, v0 | deps COMPUTE ; 14
  LOG.F32 v8, v4 | deps COMPUTE ; 15
  SEND.F64 v6, w1 | deps COMPUTE ; 16
  SEND.F32 v8, w2 ; 17
  TANH.F64 v6, v0 | deps COMPUTE ; 18
  TANH.F32 v8, v4 | deps COMPUTE ; 19
  SEND.F64 v6, w1 | deps COMPUTE ; 20
  SEND.F32 v8, w2 ; 21
  ERF.F64 v6, v0 | deps COMPUTE ; 22
  ERF.F32 v8, v4 | deps COMPUTE ; 23
  SEND.F64 v6, w1 | deps COMPUTE ; 24
  SEND.F32 v8, w2 ; 25
  SIN.F64 v6, v0 | deps COMPUTE ; 26
  SIN.F32 v8, v4 | deps COMPUTE ; 27
  SEND.F64 v6, w1 | deps COMPUTE ; 28
  SEND.F32 v8, w2 ; 29
  COS.F64 v6, v0 | deps COMPUTE ; 30
  COS.F32 v8, v4 | deps COMPUTE ; 31
  SEND.F64 v6, w1 | deps COMPUTE ; 32
  SEND.F32 v8, w2 ; 33
  SIGMOID.F64 v6, v0 | deps COMPUTE ; 34
  SIGMOID.F32 v8, v4 | deps COMPUTE ; 35
  SEND.F64 v6, w1 | deps COMPUTE ; 36
  SEND.F32 v8, w2 ; 37
  GELU.F64 v6, v0 | deps COMPUTE ; 38
  GELU.F32 v8, v4 | deps COMPUTE ; 39
  SEND.F64 v6, w1 | deps COMPUTE ; 40
  SEND.F32 v8, w2 ; 41
  SQRT.F64 v6, v0 | deps COMPUTE ; 42
  SQRT.F32 v8, v4 | deps COMPUTE ; 43
  SEND.F64 v6, w1 | deps COMPUTE ; 44
  SEND.F32 v8, w2 ; 45
  ROUNDA.F64 v6, v0 | deps COMPUTE ; 46
  ROUNDA.F32 v8, v4 | deps COMPUTE ; 47
  SEND.F64 v6, w1 | deps COMPUTE ; 48
  SEND.F32 v8, w2 ; 49
  POW.F64 v6, v0, v2 | deps COMPUTE ; 50
  POW.F32 v8, v4, v5 | deps COMPUTE ; 51
  SEND.F64 v6, w1 | deps COMPUTE ; 52
  SEND.F32 v8, w2 ; 53
  REM.F64 v6, v0, v2 | deps COMPUTE ; 54
  REM.F32 v8, v4, v5 | deps COMPUTE ; 55
  SEND.F64 v6, w1 | deps COMPUTE ; 56
  SEND.F32 v8, w2 ; 57
  END ; 58

; TENSOR
.tensor region=INPUT dtype=F64 packing=DENSE rank=1 bytes=512 dims=[64] name="x" ; 0
.tensor region=OUTPUT dtype=F64 packing=DENSE rank=2 bytes=6656 dims=[13, 64] name="wide" ; 1
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 slot=1 bytes=3328 dims=[13, 64] name="narrow" ; 2
.tensor region=WEIGHTS dtype=F64 packing=DENSE rank=1 bytes=8 dims=[1] name="half" ; 3

; MASK
.mask words=[1] ; 0

; ARGS
.args 0, 1, 2, 3 ; 0

; ENTRY
.entry name="main" descriptor_count=1 inputs_count=1 outputs_first=1 outputs_count=2 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="wide" tensor=%1 ; 1
.io name="narrow" tensor=%2 ; 2

; WEIGHTS
; 0x0: tensor 3
.f64 0.5

; DEBUG
.debug descriptor=%0 location="node functions" ; 0
