; tfb 1.11, requires VECTOR
; section              offset      bytes  align
; META                  0x4c0         46     64
; STRINGS               0x500         64     64
; TARGET                0x540       1682     64
; CODE                  0xc00         64     64
; PROGRAM               0xc40         32     64
; SIW                   0xc80         64     64
; TENSOR                0xcc0        192     64
; GEMM_GEOMETRY         0xd80         64     64
; SCHEDULE              0xdc0         32     64
; MASK                  0xe00         32     64
; ENTRY                 0xe40         64     64
; IO_SIG                0xe80         32     64
; WEIGHTS              0x1000        320   4096
; DEBUG                0x1140         16     64 optional

; META
.meta {
  "model": "widened",
  "producer": "golden corpus"
}

; STRINGS
.string "x"
.string "y"
.string "w"
.string "number"
.string "product"
.string "main"
.string "node product"

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
.descriptor kind=GEMM lhs=%0 rhs=%2 out=%1 geometry=%0 schedule=%0 mask=%0 program=%0 name="product" ; 0: lhs "x", rhs "w", out "y"

; PROGRAM
.program kind=EPILOGUE word_count=4 name="number" max_steps=4 ; 0

; SIW
; program "number"
  TANH.F32 v5, v0 | INDEX.I64 v2, s1, s4, 0 ; 0
  CVT.F64 v2, v2, I64 ; 1
  SQRT.F64 v2, v2 | CAST.F64 v6, v5, F32 | deps COMPUTE ; 2
  ADD.F64 v0, v6, v2 | END | deps COMPUTE ; 3

; TENSOR
.tensor region=INPUT dtype=F32 packing=DENSE rank=2 bytes=192 dims=[3, 16] name="x" ; 0
.tensor region=OUTPUT dtype=F64 packing=DENSE rank=2 bytes=120 dims=[3, 5] name="y" ; 1
.tensor region=WEIGHTS dtype=F32 packing=DENSE rank=2 bytes=320 dims=[5, 16] name="w" ; 2

; GEMM_GEOMETRY
.gemm_geometry batch=1 m=3 n=5 k=16 lhs_m_stride=16 lhs_k_stride=1 rhs_n_stride=16 rhs_k_stride=1 ; 0

; SCHEDULE
.schedule dataflow=OUTPUT_STATIONARY buffers=2 zero_skip=NONE tile_m=2 tile_n=3 tile_k=16 ; 0

; MASK
.mask words=[1] ; 0

; ENTRY
.entry name="main" descriptor_count=1 inputs_count=1 outputs_first=1 outputs_count=1 ; 0

; IO_SIG
.io name="x" tensor=%0 ; 0
.io name="y" tensor=%1 ; 1

; WEIGHTS
; 0x0: tensor 2
.f32 -0.80283695, 0.2428499, -1.6563455, 0.65610486, 1.143453, -0.452611, 0.43048576, 0.25093257
.f32 -0.39435205, -0.8624049, -2.0325525, 1.4104235, -0.047632236, 2.5223274, 0.82621825, 0.27778053
.f32 -0.65743107, 1.3924692, -0.5062891, 1.5699492, -0.3983613, 0.18595393, -1.5226704, 2.3432324
.f32 -0.09402583, -0.3851136, 0.81084764, -0.89137185, 0.7676073, -1.1712404, 0.5452418, -1.0441263
.f32 -1.8370681, -0.5937676, -1.4639144, 0.5532782, 0.021671116, 0.5094465, 0.09130283, -0.35385904
.f32 0.02812934, 1.052489, -0.18313083, -0.76204723, -0.9699016, -0.22172613, -0.7497393, 1.8806323
.f32 -1.1785644, -1.0815996, -0.30589232, 0.65001374, -0.26809806, -0.95790815, -0.8069004, -0.35079202
.f32 0.97336274, -0.977982, -0.09132774, -0.6130539, 0.32462004, 0.3971358, -1.4652455, 2.3868623
.f32 0.1896034, -0.5093322, -0.89399046, -0.25951025, 0.03181673, 0.5951584, 0.0056210747, 0.48394892
.f32 -1.6099513, -0.75238407, -1.0065576, 0.1645868, 0.45799908, -1.4660863, -0.16792867, 0.7254607

; DEBUG
.debug descriptor=%0 location="node product" ; 0
