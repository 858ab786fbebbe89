; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x440         46     64
; STRINGS               0x480         53     64
; TARGET                0x4c0       1682     64
; CODE                  0xb80         64     64
; PROGRAM               0xbc0         32     64
; SIW                   0xc00        304     64
; TENSOR                0xd40        128     64
; MASK                  0xdc0         32     64
; ARGS                  0xe00          8     64
; ENTRY                 0xe40         64     64
; IO_SIG                0xe80         32     64
; DEBUG                 0xec0         16     64 optional

; META
.meta {
  "model": "collatz",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "steps"
.string "collatz"
.string "main"
.string "node collatz"

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
.descriptor kind=VECTOR mask=%0 program=%0 args_count=2 name="collatz" ; 0: w0 "x", w1 "steps"

; PROGRAM
.program kind=VECTOR windows=2 word_count=19 name="collatz" max_steps=9010 ; 0

; SIW
; program "collatz"
  LI s1, 1000 | SETVL 64 ; 0
  LI s2, 1 ; 1
  INDEX.I32 v9, s0, s0, 1 ; 2
  LD.I32 v0, w0, s0, s2, 0 ; 3
  INDEX.I32 v8, s0, s0, 113 ; 4
  REM.U32 v0, v0, v8 | deps LOAD ; 5
  ADD.I32 v0, v0, v9 | deps COMPUTE ; 6
  LOOP s1, 9 ; 7
  CMP.I32 v1, v0, v9, OGT ; 8
  ADD.I32 v4, v4, v1 | REDUCE.I32 v2, v1, MAX ; 9
  FOLD.I32 v3, v2, MAX ; 10
  SUB.I32 v2, v2, v2 | SGET.I32 s4, v3 ; 11
  SHRL.I32 v5, v0, v9 | BREAK s4 ; 12
  AND.I32 v6, v0, v9 | INDEX.I32 v7, s0, s0, 3 ; 13
  FMA.I32 v7, v0, v7, v9 ; 14
  SEL v7, v6, v7, v5 ; 15
  SEL v0, v1, v7, v0 ; 16
  ST.I32 v4, w1, s0, s2, 0 ; 17
  END ; 18

; TENSOR
.tensor region=INPUT dtype=I32 packing=DENSE rank=1 bytes=256 dims=[64] name="x" ; 0
.tensor region=OUTPUT dtype=I32 packing=DENSE rank=1 bytes=256 dims=[64] name="steps" ; 1

; MASK
.mask words=[1] ; 0

; ARGS
.args 0, 1 ; 0

; ENTRY
.entry name="main" descriptor_count=1 inputs_count=1 outputs_first=1 outputs_count=1 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="steps" tensor=%1 ; 1

; DEBUG
.debug descriptor=%0 location="node collatz" ; 0
