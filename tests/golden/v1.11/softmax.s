; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x4c0         46     64
; STRINGS               0x500         80     64
; TARGET                0x580       1682     64
; CODE                  0xc40         64     64
; PROGRAM               0xc80         32     64
; SIW                   0xcc0        256     64
; TENSOR                0xdc0        192     64
; MASK                  0xe80         32     64
; ARGS                  0xec0         12     64
; ENTRY                 0xf00         64     64
; IO_SIG                0xf40         32     64
; WEIGHTS              0x1000          4   4096
; DEBUG                0x1040         16     64 optional
; ORIGIN               0x1080         32     64 optional

; META
.meta {
  "model": "softmax",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "y"
.string "low"
.string "softmax"
.string "node exp"
.string "node div"
.string "main"
.string "node softmax"

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
.descriptor kind=VECTOR mask=%0 program=%0 args_count=3 name="softmax" ; 0: w0 "x", w1 "y", w2 "low"

; PROGRAM
.program kind=VECTOR windows=3 word_count=16 name="softmax" max_steps=38 ; 0

; SIW
; program "softmax"
  LI s1, 3 | SETVL 512 ; 0
  LI s3, 1 ; 1
  LD.F32 v6, w2, s0, s0, 0 | SETVL 5 ; 2
  LOOP s1, 11 ; 3
  MOV v2, v6 | LD.F32 v1, w0, s2, s3, 0 | deps LOAD ; 4
  RED.F32 v2, v1, MAX | deps LOAD ; 5
  MOV v4, v7 ; 6
  FOLD.F32 v3, v2, MAX ; 7
  SUB.F32 v1, v1, v3 ; 8
  EXP.F32 v1, v1 ; 9
  RED.F32 v4, v1, SUM | deps COMPUTE ; 10
  FOLD.F32 v5, v4, SUM ; 11
  DIV.F32 v1, v1, v5 ; 12
  ST.F32 v1, w1, s2, s3, 0 | deps COMPUTE ; 13
  ADDI s2, s2, 5 ; 14
  END ; 15

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=60 dims=[3, 5] name="x" ; 0
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=60 dims=[3, 5] name="y" ; 1
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=1 bytes=4 dims=[1] name="low" ; 2

; MASK
.mask words=[1] ; 0

; ARGS
.args 0, 1, 2 ; 0

; ENTRY
.entry name="main" descriptor_count=1 inputs_count=1 outputs_first=1 outputs_count=1 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="y" tensor=%1 ; 1

; WEIGHTS
; 0x0: tensor 2
.f32 -inf

; DEBUG
.debug descriptor=%0 location="node softmax" ; 0

; ORIGIN
.origin descriptor=%0 location="node exp" first_word=9 word_count=2 slots=1 ; 0
.origin descriptor=%0 location="node div" first_word=12 word_count=1 slots=1 ; 1
