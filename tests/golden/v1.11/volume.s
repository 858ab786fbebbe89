; tfb 1.11, requires VECTOR, TERNARY
; section              offset      bytes  align
; META                  0x5c0         45     64
; STRINGS               0x600         92     64
; TARGET                0x680       1682     64
; CODE                  0xd40        128     64
; PROGRAM               0xdc0         32     64
; SIW                   0xe00         32     64
; TENSOR                0xe40        448     64
; SCHEDULE             0x1000         32     64
; MASK                 0x1040         32     64
; ARGS                 0x1080          4     64
; WAITS                0x10c0          4     64
; ENTRY                0x1100         64     64
; IO_SIG               0x1140         64     64
; TELEMETRY            0x1180         40     64
; WEIGHTS              0x2000        520   4096
; DEBUG                0x2240         32     64 optional
; VOLUME_GEOMETRY      0x2280        160     64

; META
.meta {
  "model": "volume",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "q"
.string "y"
.string "z"
.string "w"
.string "bias"
.string "t"
.string "own"
.string "trits"
.string "main"
.string "node own"
.string "node trits"

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
.descriptor kind=CONV3D lhs=%0 rhs=%4 out=%2 geometry=%0 schedule=%0 mask=%0 program=%0 args_count=1 telemetry=%0 name="own" ; 0: lhs "x", rhs "w", out "y", w0 "bias"
.descriptor kind=CONV3D waits_count=1 lhs=%1 rhs=%6 out=%3 geometry=%1 schedule=%0 mask=%0 args_first=1 signal=1 name="trits" ; 1: lhs "q", rhs "t", out "z", after [0]

; PROGRAM
.program kind=EPILOGUE windows=1 word_count=2 name="bias" max_steps=2 ; 0

; SIW
; program "bias"
  LD.F32 v1, w0, s2, s3, 0 ; 0
  ADD.F32 v0, v0, v1 | END | deps LOAD ; 1

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=5 bytes=480 dims=[1, 2, 3, 4, 5] name="x" ; 0
.tensor region=INPUT dtype=I8 packing=DENSE rank=5 slot=1 bytes=54 dims=[1, 2, 3, 3, 3] name="q" ; 1
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=5 bytes=576 dims=[1, 6, 2, 4, 3] name="y" ; 2
.tensor region=OUTPUT dtype=I32 packing=DENSE rank=5 slot=1 bytes=64 dims=[1, 2, 2, 2, 2] name="z" ; 3
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=5 bytes=432 dims=[6, 1, 3, 3, 2] name="w" ; 4
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=1 offset=448 bytes=24 dims=[6] name="bias" ; 5
.tensor region=WEIGHTS dtype=TRIT packing=PT5 rank=5 offset=512 bytes=8 dims=[2, 2, 2, 2, 2] name="t" ; 6

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=16 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 5 ; 0

; WAITS
.waits 0 ; 0

; ENTRY
.entry name="main" descriptor_count=2 inputs_count=2 outputs_first=2 outputs_count=2 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="q" tensor=%1 ; 1
.io name="y" tensor=%2 ; 2
.io name="z" tensor=%3 ; 3

; TELEMETRY
.telemetry layer="own" mask=%0 fusion_order=-1 ; 0

; WEIGHTS
; 0x0: tensor 4
.f32 -0.65179116, -0.17471729, 1.663724, 0.65914774, -1.6413972, -0.0052032643, -0.62346375, 0.14863153
.f32 -1.6081878, 0.24177188, 0.23538092, 1.575626, 0.31664503, 0.5105467, -1.4931167, 2.2527292
.f32 -1.9156456, 1.1018019, -0.32990408, -0.8806465, -0.656285, -0.67201465, 0.3801891, -0.110058695
.f32 1.4825711, -1.829604, -0.0030809646, -0.8920558, 0.7758719, -2.11806, -0.34369436, 0.21017292
.f32 -1.4842685, 0.9852156, 0.17871343, 1.0068568, 0.9591849, -0.9798546, -0.7977958, -0.20333248
.f32 0.74795973, 0.8509673, -0.70968485, -0.60719717, -0.7978229, -0.58423823, -0.23792338, -0.13181505
.f32 2.0581145, -0.5064037, -0.28872436, 0.45857772, -0.95307404, -0.36862716, 0.013318481, 0.77414596
.f32 -1.3160149, 1.3714695, -0.35245737, 0.16941643, 0.8470883, 0.66079295, 1.0592319, 0.17319782
.f32 -0.019613354, 0.31647855, -0.9957154, 1.2141874, -0.7753863, -1.2602439, 2.056409, -0.13644494
.f32 -1.1791248, 1.8522698, -0.32971263, 1.0620757, -0.8294887, -0.24878003, -1.6885294, -1.9089394
.f32 -0.9764346, -0.07803902, 0.79798573, 2.4262204, -1.031863, 1.0090404, -0.604341, -0.1525293
.f32 -1.4811916, -1.4789858, -0.7784606, -1.1931106, -0.0035543907, -0.70251447, 1.250697, 0.15301971
.f32 0.16523819, 1.1374352, 0.51811224, -0.03733298, -0.09072336, -0.120948635, 1.0767219, 0.78308564
.f32 0.36591795, 0.7988293, -0.5445333, 0.5110228
.zero 16
; 0x1c0: tensor 5
.f32 -1.4123336, 1.3472706, 0.09004826, 0.183393, 0.59938383, -0.009709574
.zero 40
; 0x200: tensor 6
.trits PT5 -++000++-0-++0+0
.trits PT5 00000-0+0+0++0-0

; DEBUG
.debug descriptor=%0 location="node own" ; 0
.debug descriptor=%1 location="node trits" ; 1

; VOLUME_GEOMETRY
.volume_geometry batch=1 in_channels=2 in_depth=3 in_height=4 in_width=5 out_channels=6 out_depth=2 out_height=4 out_width=3 kernel_depth=3 kernel_height=3 kernel_width=2 stride_depth=2 stride_height=1 stride_width=2 dilation_depth=1 dilation_height=1 dilation_width=1 pad_front=1 pad_top=1 pad_left=1 groups=2 ; 0
.volume_geometry batch=1 in_channels=2 in_depth=3 in_height=3 in_width=3 out_channels=2 out_depth=2 out_height=2 out_width=2 kernel_depth=2 kernel_height=2 kernel_width=2 stride_depth=1 stride_height=1 stride_width=1 dilation_depth=1 dilation_height=1 dilation_width=1 groups=1 lhs_zero=7 ; 1
