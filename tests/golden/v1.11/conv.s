; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x5c0         43     64
; STRINGS               0x600        136     64
; TARGET                0x6c0       1682     64
; CODE                  0xd80        192     64
; PROGRAM               0xe40         32     64
; SIW                   0xe80         64     64
; TENSOR                0xec0        448     64
; WINDOW_GEOMETRY      0x1080        192     64
; SCHEDULE             0x1140         32     64
; MASK                 0x1180         32     64
; ARGS                 0x11c0          4     64
; WAITS                0x1200          4     64
; ENTRY                0x1240         64     64
; IO_SIG               0x1280         64     64
; TELEMETRY            0x12c0         40     64
; WEIGHTS              0x2000         80   4096
; DEBUG                0x2080         48     64 optional

; META
.meta {
  "model": "conv",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "f"
.string "y"
.string "g"
.string "raw"
.string "w"
.string "scale"
.string "requantize"
.string "conv"
.string "pool"
.string "average"
.string "main"
.string "node conv"
.string "node pool"
.string "node average"

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
.descriptor kind=CONV2D lhs=%0 rhs=%5 out=%4 geometry=%0 schedule=%0 mask=%0 program=%0 args_count=1 telemetry=%0 name="conv" ; 0: lhs "x", rhs "w", out "raw", w0 "scale"
.descriptor kind=POOL waits_count=1 lhs=%4 out=%2 geometry=%1 mask=%0 args_first=1 signal=1 name="pool" ; 1: lhs "raw", out "y", after [0]
.descriptor kind=POOL lhs=%1 out=%3 geometry=%2 mask=%0 args_first=1 waits_first=1 signal=2 name="average" ; 2: lhs "f", out "g"

; PROGRAM
.program kind=EPILOGUE windows=1 word_count=4 name="requantize" max_steps=4 ; 0

; SIW
; program "requantize"
  CVT.F32 v0, v0, I32 | LD.F32 v1, w0, s2, s3, 0 ; 0
  MUL.F32 v0, v0, v1 | deps LOAD ; 1
  ROUND.F32 v0, v0 ; 2
  CVT.I8 v0, v0, F32 | END ; 3

; TENSOR
.tensor region=INPUT dtype=I8 packing=DENSE rank=4 bytes=72 dims=[1, 2, 6, 6] name="x" ; 0
.tensor region=INPUT dtype=F32 packing=DENSE rank=4 slot=1 bytes=80 dims=[1, 1, 5, 4] name="f" ; 1
.tensor region=OUTPUT dtype=I8 packing=DENSE rank=4 bytes=36 dims=[1, 4, 3, 3] name="y" ; 2
.tensor region=OUTPUT dtype=F32 packing=DENSE rank=4 slot=1 bytes=24 dims=[1, 1, 3, 2] name="g" ; 3
.tensor region=SCRATCH dtype=I8 packing=DENSE rank=4 bytes=144 dims=[1, 4, 6, 6] name="raw" ; 4
.tensor region=WEIGHTS dtype=I8 packing=DENSE rank=4 bytes=36 dims=[4, 1, 3, 3] name="w" ; 5
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=1 offset=64 bytes=16 dims=[4] name="scale" ; 6

; WINDOW_GEOMETRY
.window_geometry batch=1 in_channels=2 in_height=6 in_width=6 out_channels=4 out_height=6 out_width=6 kernel_height=3 kernel_width=3 stride_height=1 stride_width=1 dilation_height=1 dilation_width=1 pad_top=1 pad_left=1 pad_bottom=1 pad_right=1 groups=2 lhs_zero=5 mode=NONE ; 0
.window_geometry batch=1 in_channels=4 in_height=6 in_width=6 out_channels=4 out_height=3 out_width=3 kernel_height=2 kernel_width=2 stride_height=2 stride_width=2 dilation_height=1 dilation_width=1 groups=1 mode=MAX ; 1
.window_geometry batch=1 in_channels=1 in_height=5 in_width=4 out_channels=1 out_height=3 out_width=2 kernel_height=3 kernel_width=2 stride_height=2 stride_width=2 dilation_height=1 dilation_width=1 pad_top=1 pad_bottom=1 groups=1 mode=AVG ; 2

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=8 tile_n=8 tile_k=16 ; 0

; MASK
.mask words=[1] ; 0

; ARGS
.args 6 ; 0

; WAITS
.waits 0 ; 0

; ENTRY
.entry name="main" descriptor_count=3 inputs_count=2 outputs_first=2 outputs_count=2 scratch_bytes=144 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="f" tensor=%1 ; 1
.io name="y" tensor=%2 ; 2
.io name="g" tensor=%3 ; 3

; TELEMETRY
.telemetry layer="conv" mask=%0 fusion_order=-1 ; 0

; WEIGHTS
; 0x0: tensor 5
.i8 79, -107, -83, -68, -82, 77, 94, 21
.i8 -118, -104, -43, -18, 31, -6, -61, -88
.i8 49, 60, -120, -99, -13, -28, 99, 4
.i8 -21, -18, 42, 22, -84, 60, 65, 116
.i8 73, -56, -47, 38
.zero 28
; 0x40: tensor 6
.f32 0.0027195937, 0.0011434404, 5.8206388e-06, 0.0038025791

; DEBUG
.debug descriptor=%0 location="node conv" ; 0
.debug descriptor=%1 location="node pool" ; 1
.debug descriptor=%2 location="node average" ; 2
