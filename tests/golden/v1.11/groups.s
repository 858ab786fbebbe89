; tfb 1.11, requires TERNARY, INT4
; section              offset      bytes  align
; META                  0x480         45     64
; STRINGS               0x4c0        112     64
; TARGET                0x540       1682     64
; CODE                  0xc00        128     64
; TENSOR                0xc80        512     64
; SCHEDULE              0xe80         32     64
; MASK                  0xec0         32     64
; WAITS                 0xf00          4     64
; ENTRY                 0xf40         64     64
; IO_SIG                0xf80         64     64
; WEIGHTS              0x1000        208   4096
; DEBUG                0x1100         32     64 optional
; GROUP_GEOMETRY       0x1140        128     64

; META
.meta {
  "model": "groups",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "q"
.string "y"
.string "z"
.string "nibbles"
.string "trits"
.string "scales0"
.string "scales1"
.string "fc0"
.string "fc1"
.string "main"
.string "node fc0"
.string "node fc1"

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
.descriptor kind=GROUP_GEMM lhs=%0 rhs=%4 out=%2 geometry=%0 schedule=%0 mask=%0 name="fc0" ; 0: lhs "x", rhs "nibbles", out "y"
.descriptor kind=GROUP_GEMM waits_count=1 lhs=%1 rhs=%5 out=%3 geometry=%1 schedule=%0 mask=%0 signal=1 name="fc1" ; 1: lhs "q", rhs "trits", out "z", after [0]

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=144 dims=[3, 12] name="x" ; 0
.tensor region=INPUT dtype=I8 packing=DENSE rank=2 slot=1 bytes=30 dims=[3, 10] name="q" ; 1
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=48 dims=[3, 4] name="y" ; 2
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 slot=1 bytes=24 dims=[3, 2] name="z" ; 3
.tensor region=WEIGHTS dtype=I4 packing=NIBBLES rank=2 bytes=24 dims=[8, 6] name="nibbles" ; 4
.tensor region=WEIGHTS dtype=TRIT packing=PT5 rank=2 offset=64 bytes=4 dims=[4, 5] name="trits" ; 5
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 offset=128 bytes=32 dims=[4, 2] name="scales0" ; 6
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 offset=192 bytes=16 dims=[2, 2] name="scales1" ; 7

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=8 ; 0

; MASK
.mask words=[1] ; 0

; WAITS
.waits 0 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=2 outputs_first=2 outputs_count=2 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="q" tensor=%1 ; 1
.io name="y" tensor=%2 ; 2
.io name="z" tensor=%3 ; 3

; WEIGHTS
; 0x0: tensor 4
.i4 7, 2, 2, 6, 1, 4
.i4 5, -5, -8, -4, -4, 5
.i4 6, -8, -1, 5, -6, 4
.i4 -7, -1, 5, -4, -3, -4
.i4 3, -4, 7, -1, -1, 0
.i4 1, 0, 0, 7, 4, 4
.i4 3, 1, -3, 7, -1, -5
.i4 5, -6, 5, 1, -7, -8
.zero 40
; 0x40: tensor 5
.trits PT5 0--0+
.trits PT5 0+++0
.trits PT5 00-00
.trits PT5 -+---
.zero 60
; 0x80: tensor 6
.f32 0.6920321, 0.20060672, 0.3695363, 0.003734242, 0.8300477, 0.15446109, 0.2675993, 0.8803322
.zero 32
; 0xc0: tensor 7
.f32 0.50979084, 0.84715027, 0.63971716, 0.7417709

; DEBUG
.debug descriptor=%0 location="node fc0" ; 0
.debug descriptor=%1 location="node fc1" ; 1

; GROUP_GEOMETRY
.group_geometry m=3 n=4 k=12 group=6 lhs_m_stride=12 lhs_k_stride=1 scales=%6 activations=ABSMAX ; 0
.group_geometry m=3 n=2 k=10 group=5 lhs_m_stride=10 lhs_k_stride=1 lhs_zero=3 scales=%7 activations=STORED ; 1
