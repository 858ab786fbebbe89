// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// Fields of records: names, ranges, counts.

// expected-error @below {{'tfmbs.fabric_tensor' op region: expected weights or scratch or state or input or output, got sram}}
"tfmbs.fabric_tensor"() {region = "sram", dtype = "trit", packing = "pt5", rank = 2 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, label = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_tensor' op dtype: expected }}
"tfmbs.fabric_tensor"() {region = "weights", dtype = "i5", packing = "pt5", rank = 2 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, label = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_tensor' op attribute 'packing': expected a string, got 2 : i64}}
"tfmbs.fabric_tensor"() {region = "weights", dtype = "trit", packing = 2 : i64, rank = 2 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, label = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_tensor' op record tensor: field rank = 256}}
"tfmbs.fabric_tensor"() {region = "weights", dtype = "trit", packing = "pt5", rank = 256 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, label = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_tensor' op record tensor: field slot = -1}}
"tfmbs.fabric_tensor"() {region = "weights", dtype = "trit", packing = "pt5", rank = 2 : i64, slot = -1 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, label = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_tensor' op record tensor: field dims has 2 values, expected 8}}
"tfmbs.fabric_tensor"() {region = "weights", dtype = "trit", packing = "pt5", rank = 2 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6>, label = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_tensor' op attribute 'label': expected a string, got none}}
"tfmbs.fabric_tensor"() {region = "weights", dtype = "trit", packing = "pt5", rank = 2 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, name = "fc.weight"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_gemm_geometry' op record gemm_geometry: field lhs_zero = 4294967296}}
"tfmbs.fabric_gemm_geometry"() {batch = 1 : i64, m = 2 : i64, n = 4 : i64, k = 6 : i64, lhs_batch_stride = 0 : i64, lhs_m_stride = 6 : i64, lhs_k_stride = 1 : i64, rhs_batch_stride = 0 : i64, rhs_n_stride = 6 : i64, rhs_k_stride = 1 : i64, lhs_zero = 4294967296 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_volume_geometry' op record volume_geometry: field stride_depth = 65536}}
"tfmbs.fabric_volume_geometry"() {batch = 1 : i64, in_channels = 2 : i64, out_channels = 2 : i64, groups = 1 : i64, lhs_zero = 0 : i64, pad_front = 1 : i64, pad_top = 0 : i64, pad_left = 0 : i64, in_depth = 4 : i64, out_depth = 2 : i64, kernel_depth = 2 : i64, stride_depth = 65536 : i64, dilation_depth = 1 : i64, in_height = 4 : i64, out_height = 2 : i64, kernel_height = 2 : i64, stride_height = 65536 : i64, dilation_height = 1 : i64, in_width = 4 : i64, out_width = 2 : i64, kernel_width = 2 : i64, stride_width = 65536 : i64, dilation_width = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_group_geometry' op activations: expected stored or absmax, got largest}}
"tfmbs.fabric_group_geometry"() {m = 2 : i64, n = 3 : i64, k = 8 : i64, group = 4 : i64, lhs_m_stride = 8 : i64, lhs_k_stride = 1 : i64, lhs_zero = 0 : i64, scales = 0 : i64, activations = "largest"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_attention_geometry' op mask: expected none or add or add_shown or select, got often}}
"tfmbs.fabric_attention_geometry"() {batch = 1 : i64, out_by_rows = 0 : i64, groups = 1 : i64, width = 1 : i64, value_width = 1 : i64, lhs_stride = 1 : i64, rhs_stride = 1 : i64, value_stride = 1 : i64, shared = 2 : i64, rows = 3 : i64, columns = 5 : i64, lhs_batch_stride = 0 : i64, lhs_head_stride = 0 : i64, lhs_row_stride = 0 : i64, rhs_batch_stride = 0 : i64, rhs_group_stride = 0 : i64, rhs_row_stride = 0 : i64, value_batch_stride = 0 : i64, value_group_stride = 0 : i64, value_row_stride = 0 : i64, mask_batch_stride = 0 : i64, mask_head_stride = 0 : i64, mask_row_stride = 0 : i64, mask_column_stride = 0 : i64, offset = -2 : i64, scale = 5.000000e-01 : f32, fill = 0xFF800000 : f32, mask = "often", causal = 1 : i64, clear = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_window_geometry' op record window_geometry: field stride_height = 65536}}
"tfmbs.fabric_window_geometry"() {batch = 1 : i64, in_channels = 2 : i64, in_height = 4 : i64, in_width = 4 : i64, out_channels = 2 : i64, out_height = 2 : i64, out_width = 2 : i64, kernel_height = 2 : i64, kernel_width = 2 : i64, stride_height = 65536 : i64, stride_width = 2 : i64, dilation_height = 1 : i64, dilation_width = 1 : i64, pad_top = 0 : i64, pad_left = 0 : i64, pad_bottom = 0 : i64, pad_right = 0 : i64, groups = 1 : i64, lhs_zero = 0 : i64, mode = "max"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_schedule' op dataflow: expected output_stationary or weight_stationary or input_stationary, got os}}
"tfmbs.fabric_schedule"() {dataflow = "os", buffers = 2 : i64, zero_skip = "none", order = "any", block_m = 0 : i64, block_n = 0 : i64, block_k = 0 : i64, tile_m = 16 : i64, tile_n = 16 : i64, tile_k = 64 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_mask' op record mask: field words has 1 values, expected 4}}
"tfmbs.fabric_mask"() {words = array<i64: 1>} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_args' op values: expected 0 to 4294967295, got 4294967296}}
"tfmbs.fabric_args"() {values = array<i64: 0, 4294967296>} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_waits' op values: expected 0 to 4294967295, got -1}}
"tfmbs.fabric_waits"() {values = array<i64: -1>} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_descriptor' op kind: expected gemm or gemv or conv2d or pool or vector or copy or conv3d or attention or lstm or group_gemm, got fft}}
"tfmbs.fabric_descriptor"() {kind = "fft", waits_count = 0 : i64, lhs = 0 : i64, rhs = 0 : i64, out = 0 : i64, geometry = 0 : i64, schedule = 0 : i64, mask = 0 : i64, program = -1 : i64, args_first = 0 : i64, args_count = 0 : i64, waits_first = 0 : i64, signal = 0 : i64, telemetry = 0 : i64, label = "fc"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_descriptor' op record descriptor: field mask = -1}}
"tfmbs.fabric_descriptor"() {kind = "gemm", waits_count = 0 : i64, lhs = 0 : i64, rhs = 0 : i64, out = 0 : i64, geometry = 0 : i64, schedule = 0 : i64, mask = -1 : i64, program = -1 : i64, args_first = 0 : i64, args_count = 0 : i64, waits_first = 0 : i64, signal = 0 : i64, telemetry = 0 : i64, label = "fc"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_descriptor' op mask: expected an index, got 4294967295}}
"tfmbs.fabric_descriptor"() {kind = "gemm", waits_count = 0 : i64, lhs = 0 : i64, rhs = 0 : i64, out = 0 : i64, geometry = 0 : i64, schedule = 0 : i64, mask = 4294967295 : i64, program = -1 : i64, args_first = 0 : i64, args_count = 0 : i64, waits_first = 0 : i64, signal = 0 : i64, telemetry = 0 : i64, label = "fc"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_descriptor' op record descriptor: field lhs = -2}}
"tfmbs.fabric_descriptor"() {kind = "gemm", waits_count = 0 : i64, lhs = -2 : i64, rhs = 0 : i64, out = 0 : i64, geometry = 0 : i64, schedule = 0 : i64, mask = 0 : i64, program = -1 : i64, args_first = 0 : i64, args_count = 0 : i64, waits_first = 0 : i64, signal = 0 : i64, telemetry = 0 : i64, label = "fc"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_entry' op record entry: field scratch_bytes = -1}}
"tfmbs.fabric_entry"() {label = "main", first_descriptor = 0 : i64, descriptor_count = 1 : i64, inputs_first = 0 : i64, inputs_count = 1 : i64, outputs_first = 1 : i64, outputs_count = 1 : i64, scratch_bytes = -1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_io' op record io: field tensor = -1}}
"tfmbs.fabric_io"() {label = "x", meaning = "plain", tensor = -1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_state' op attribute 'bytes': expected an integer, got "64"}}
"tfmbs.fabric_state"() {label = "cache", offset = 0 : i64, bytes = "64"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_telemetry' op attribute 'sparsity': expected a number, got 1 : i64}}
"tfmbs.fabric_telemetry"() {layer = "fc", mask = 0 : i64, zero_count = 6 : i64, total = 24 : i64, sparsity = 1 : i64, fusion_order = -1 : i64, fusion_sparsity = 0.0 : f32} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_telemetry' op record telemetry: field fusion_order = 2147483648}}
"tfmbs.fabric_telemetry"() {layer = "fc", mask = 0 : i64, zero_count = 6 : i64, total = 24 : i64, sparsity = 0.25 : f32, fusion_order = 2147483648 : i64, fusion_sparsity = 0.0 : f32} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_debug' op attribute 'source': expected a string, got none}}
"tfmbs.fabric_debug"() {descriptor = 0 : i64, label = "x"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_origin' op record origin: field word_count = 65536: }}
"tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 0 : i64, slots = 7 : i64, source = "node relu",
    word_count = 65536 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_size' op record size: field low = 4294967296: }}
"tfmbs.fabric_size"() {entry = 0 : i64, label = "seq", low = 4294967296 : i64, high = 128 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_patch' op section: expected program or siw or }}
"tfmbs.fabric_patch"() {entry = 0 : i64, row = 3 : i64, first_term = 0 : i64, divisor = 1 : i64, term_count = 1 : i64, section = "mask", reading = "number", at = 24 : i64, shift = 0 : i64, part = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_term' op record term: field degrees has 3 values, expected 4}}
"tfmbs.fabric_term"() {coefficient = -4 : i64, degrees = array<i64: 2, 1, 0>} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_semantics' op record semantics: field flops = -1: }}
"tfmbs.fabric_semantics"() {descriptor = 0 : i64, number = 3 : i64, phase = "", pattern = "", flops = -1 : i64,
    bytes = 64 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_data' op offset: expected at least 0, got -1}}
"tfmbs.fabric_data"() {label = "fc.weight", offset = -1 : i64, value = dense<7> : tensor<64xi8>} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_data' op value: expected dense elements, got "x"}}
"tfmbs.fabric_data"() {label = "fc.weight", offset = 0 : i64, value = "x"} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_lstm_geometry' op direction: expected forward or reverse or both, got sideways}}
"tfmbs.fabric_lstm_geometry"() {steps = 4 : i64, batch = 2 : i64, width = 5 : i64, hidden = 3 : i64, direction = "sideways", order = "ifco", bias = 1 : i64, recurrent_bias = 1 : i64, initial = 0 : i64, cell = 1 : i64} : () -> ()
