; tfb 1.11, requires VECTOR, STATE
; section              offset      bytes  align
; META                  0x480         44     64
; STRINGS               0x4c0         61     64
; TARGET                0x500       1663     64
; CODE                  0xb80        128     64
; PROGRAM               0xc00         32     64
; SIW                   0xc40         80     64
; TENSOR                0xcc0        192     64
; MASK                  0xd80         32     64
; ARGS                  0xdc0          8     64
; ENTRY                 0xe00        128     64
; STATE                 0xe80         32     64
; IO_SIG                0xec0         32     64
; DEBUG                 0xf00         32     64 optional

; META
.meta {
  "model": "state",
  "producer": "golden corpus"
}

; STRINGS
.string "total"
.string "x"
.string "y"
.string "add"
.string "get"
.string "node add"
.string "node get"

; TARGET
.target {
  "array": {
    "columns": 16,
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
    "rows": 16
  },
  "block_mover": {
    "clock": "memory",
    "count": 4,
    "width_bytes": 32
  },
  "clocks": {
    "core_mhz": 1500.0,
    "external_mhz": 750.0,
    "memory_mhz": 750.0
  },
  "description": "two 16x16 arrays for edge devices",
  "dma": {
    "clock": "memory",
    "count": 4,
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
    "channels": 4,
    "gbytes_per_second": 12.0,
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
    "bank_bytes": 32768,
    "banks": 4,
    "clock": "core",
    "width_bytes": 32
  },
  "l2": {
    "bank_bytes": 65536,
    "banks": 8,
    "clock": "memory",
    "width_bytes": 32
  },
  "l3": {
    "bank_bytes": 131072,
    "banks": 8,
    "clock": "memory",
    "width_bytes": 32
  },
  "name": "kpu-edge",
  "streamer": {
    "clock": "memory",
    "count": 16,
    "width_bytes": 32
  },
  "tiles": 2,
  "vector": {
    "cycles": {
      "div": 4,
      "gather": 2,
      "software": 16,
      "special": 2
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
    "lanes": 8,
    "latency": {
      "alu": 4,
      "div": 16,
      "memory": 12,
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
.descriptor kind=VECTOR mask=%0 program=%0 args_count=2 name="add" ; 0: w0 "x", w1 "total"
.descriptor kind=COPY lhs=%0 out=%2 mask=%0 args_first=2 signal=1 name="get" ; 1: lhs "total", out "y"

; PROGRAM
.program kind=VECTOR windows=2 word_count=5 name="add" max_steps=5 ; 0

; SIW
; program "add"
  LI s1, 1 | SETVL 4 ; 0
  LD.I32 v0, w0, s0, s1, 0 ; 1
  LD.I32 v1, w1, s0, s1, 0 ; 2
  ADD.I32 v0, v0, v1 | deps LOAD ; 3
  ST.I32 v0, w1, s0, s1, 0 | END ; 4

; TENSOR
.tensor region=STATE dtype=I32 packing=DENSE rank=1 bytes=16 dims=[4] name="total" ; 0
.tensor region=INPUT dtype=I32 packing=DENSE rank=1 bytes=16 dims=[4] name="x" ; 1
.tensor region=OUTPUT dtype=I32 packing=DENSE rank=1 bytes=16 dims=[4] name="y" ; 2

; MASK
.mask words=[1] ; 0

; ARGS
.args 1, 0 ; 0

; ENTRY
.entry name="add" descriptor_count=1 inputs_count=1 outputs_first=1 ; 0
.entry name="get" first_descriptor=1 descriptor_count=1 inputs_first=1 outputs_first=1 outputs_count=1 ; 1

; STATE
.state name="total" bytes=16 ; 0

; IO_SIG
.io name="x" tensor=%1 ; 0
.io name="y" tensor=%2 ; 1

; DEBUG
.debug descriptor=%0 location="node add" ; 0
.debug descriptor=%1 location="node get" ; 1
