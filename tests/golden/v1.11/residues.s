; tfb 1.11, requires TERNARY, RESIDUES
; section              offset      bytes  align
; META                  0x4c0         47     64
; STRINGS               0x500         88     64
; TARGET                0x580       1682     64
; CODE                  0xc40        128     64
; TENSOR                0xcc0        448     64
; GEMM_GEOMETRY         0xe80         64     64
; SCHEDULE              0xec0         32     64
; MASK                  0xf00         32     64
; WAITS                 0xf40          4     64
; ENTRY                 0xf80         64     64
; IO_SIG                0xfc0         64     64
; WEIGHTS              0x1000        656   4096
; DEBUG                0x12c0         32     64 optional
; GROUP_GEOMETRY       0x1300         64     64

; META
.meta {
  "model": "residues",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "q"
.string "y"
.string "z"
.string "long"
.string "scaled"
.string "scales"
.string "main"
.string "node long"
.string "node scaled"

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
.descriptor kind=GEMM lhs=%0 rhs=%4 out=%2 geometry=%0 schedule=%0 mask=%0 name="long" ; 0: lhs "x", rhs "long", out "y"
.descriptor kind=GROUP_GEMM waits_count=1 lhs=%1 rhs=%5 out=%3 geometry=%0 schedule=%0 mask=%0 signal=1 name="scaled" ; 1: lhs "q", rhs "scaled", out "z", after [0]

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=2640 dims=[2, 330] name="x" ; 0
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 slot=1 bytes=1548 dims=[3, 129] name="q" ; 1
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 bytes=24 dims=[2, 3] name="y" ; 2
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=2 slot=1 bytes=48 dims=[3, 4] name="z" ; 3
.tensor region=WEIGHTS dtype=TRIT packing=R5 rank=2 bytes=384 dims=[3, 330] name="long" ; 4
.tensor region=WEIGHTS dtype=TRIT packing=R5 rank=2 offset=384 bytes=256 dims=[4, 129] name="scaled" ; 5
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 offset=640 bytes=16 dims=[4, 1] name="scales" ; 6

; GEMM_GEOMETRY
.gemm_geometry batch=1 m=2 n=3 k=330 lhs_m_stride=330 lhs_k_stride=1 rhs_n_stride=330 rhs_k_stride=1 ; 0

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
.trits R5 ++--++0-+0--0+0+-00+-+-0+0++++-++-++--0++-0+0--+-0+-0-+0-0++----++000-0-0----0+0++-+-0--00000000+00-+--+++++++0+-0++0000--+++--+0+00-+-0-0000-0-+-00++-+-0-0-00-0-+-+0+-+0--+-+000--++-++-+00-+0++000-0-+00++--00--+-0+00-+++00--++---+-00++--00-0++++-0-000+-++0++0++0++0++0+0+00---+++00+-++++00+++0--+--0--+-+-++--0-0++--0+--+--++0--+
.trits R5 00-0-0+0---+-0+00+0-+-0++++0++-0-00--0---+0-0+-0-0----+00+00---0+0+-00--0+-++-+++00+-++0-0+0-0--0---000-++0-0+0--0--+0--+00-0++--+00----0--+00-++-0--+-00-0+0+0-00-+00---+00-00+----0+++-0-0-+-0++-++0-0-0+0-0+0--+--0-00-0-+--+000---++0-00-0+0++-00-++0+++--++0+++-+00-00-+00++0--+0++-0++00-0---00--00+0+00+0--+00--+++-0---0-00+-++-00
.trits R5 +0-++00--0+++0+-+--+--00-+0+---0-++0-+-+-0+-0++++0-+0+--00-0+00+--+--00++-++++-+00-0-0-+0-++0-0000+0+-0--000++---00+---00+0+---0-+00-++-----0+--+--00-00+0---+0+0-0+-0+0+++-00-+0++--0+--0-+-+-000+-0+0-+---+-++++00-0+0+---00+--++000+-0--+0-0+++-0-+-00++--++-000+++-000-0-0+0+00+---00+-00+0-+-++-0+++00----+--+++00+-+-00-+++0--0+00-+
; 0x180: tensor 5
.trits R5 +-+00+++--000+0---++0++++-+0-+-++-0++-+----++-000+0-0+--++0-0+++0----+00+00-+++-00-+0-+0-000-+0-+---00+----++---0+-0-+0+-0-++00-+
.trits R5 ++-+-0-++--00-+++-0-+-00-0-+-++++-0---0-+-0-+-++--+0-00+0-+-0+0+++----0+-+0+---0+-00-+00-++0+--0--0-0+0+0--+000-00+-00+++00++-0+0
.trits R5 --+000-0+0+00--0+00-+-00+--+--0--0-+0-+0000-++--0+--++-0-0+-+-+00+000+-0++-+-0-0--+00-0--+0--+-00+--++-+-0+0-0++++-0-0-0000++-0++
.trits R5 -+++++0-+-00-+00+--+-+++-+---++--++++-0-00+--+-+--0-00+-+0-++00+000-0+0++0+00+00-++++---0+-0++0000000+--+00-0-+-++---0+0+0+-000++
; 0x280: tensor 6
.f32 0.1337443, 0.9783613, 0.078550994, 0.9981109

; DEBUG
.debug descriptor=%0 location="node long" ; 0
.debug descriptor=%1 location="node scaled" ; 1

; GROUP_GEOMETRY
.group_geometry m=3 n=4 k=129 group=129 lhs_m_stride=129 lhs_k_stride=1 scales=%6 activations=ABSMAX ; 0
