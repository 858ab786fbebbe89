// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s
// One op per record: enumerations and strings by name, an absent index as -1, arrays of u64 as signed.

// CHECK: "tfmbs.fabric_data"() {label = "fc.weight", offset = 0 : i64, value = dense<7> : tensor<64xi8>} : () -> ()
"tfmbs.fabric_data"() {label = "fc.weight", offset = 0 : i64, value = dense<7> : tensor<64xi8>} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_tensor"() {bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, dtype = "trit", label = "fc.weight", offset = 0 : i64, packing = "pt5", rank = 2 : i64, region = "weights", slot = 0 : i64} : () -> ()
"tfmbs.fabric_tensor"() {region = "weights", dtype = "trit", packing = "pt5", rank = 2 : i64, slot = 0 : i64, offset = 0 : i64, bytes = 8 : i64, dims = array<i64: 4, 6, 0, 0, 0, 0, 0, 0>, label = "fc.weight"} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_gemm_geometry"() {batch = 1 : i64, k = 6 : i64, lhs_batch_stride = 0 : i64
"tfmbs.fabric_gemm_geometry"() {batch = 1 : i64, m = 2 : i64, n = 4 : i64, k = 6 : i64, lhs_batch_stride = 0 : i64, lhs_m_stride = 6 : i64, lhs_k_stride = 1 : i64, rhs_batch_stride = 0 : i64, rhs_n_stride = 6 : i64, rhs_k_stride = 1 : i64, lhs_zero = -3 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_window_geometry"()
// CHECK-SAME: mode = "max"
"tfmbs.fabric_window_geometry"() {batch = 1 : i64, in_channels = 2 : i64, in_height = 4 : i64, in_width = 4 : i64, out_channels = 2 : i64, out_height = 2 : i64, out_width = 2 : i64, kernel_height = 2 : i64, kernel_width = 2 : i64, stride_height = 2 : i64, stride_width = 2 : i64, dilation_height = 1 : i64, dilation_width = 1 : i64, pad_top = 0 : i64, pad_left = 0 : i64, pad_bottom = 0 : i64, pad_right = 0 : i64, groups = 1 : i64, lhs_zero = 0 : i64, mode = "max"} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_volume_geometry"()
// CHECK-SAME: pad_front = 1 : i64
"tfmbs.fabric_volume_geometry"() {batch = 1 : i64, in_channels = 2 : i64, out_channels = 2 : i64, groups = 1 : i64, lhs_zero = 0 : i64, pad_front = 1 : i64, pad_top = 0 : i64, pad_left = 0 : i64, in_depth = 4 : i64, out_depth = 2 : i64, kernel_depth = 2 : i64, stride_depth = 2 : i64, dilation_depth = 1 : i64, in_height = 4 : i64, out_height = 2 : i64, kernel_height = 2 : i64, stride_height = 2 : i64, dilation_height = 1 : i64, in_width = 4 : i64, out_width = 2 : i64, kernel_width = 2 : i64, stride_width = 2 : i64, dilation_width = 1 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_attention_geometry"()
// CHECK-SAME: mask = "none"
"tfmbs.fabric_attention_geometry"() {batch = 1 : i64, out_by_rows = 0 : i64, groups = 1 : i64, width = 1 : i64, value_width = 1 : i64, lhs_stride = 1 : i64, rhs_stride = 1 : i64, value_stride = 1 : i64, shared = 2 : i64, rows = 3 : i64, columns = 5 : i64, lhs_batch_stride = 0 : i64, lhs_head_stride = 0 : i64, lhs_row_stride = 0 : i64, rhs_batch_stride = 0 : i64, rhs_group_stride = 0 : i64, rhs_row_stride = 0 : i64, value_batch_stride = 0 : i64, value_group_stride = 0 : i64, value_row_stride = 0 : i64, mask_batch_stride = 0 : i64, mask_head_stride = 0 : i64, mask_row_stride = 0 : i64, mask_column_stride = 0 : i64, offset = -2 : i64, scale = 5.000000e-01 : f32, fill = 0xFF800000 : f32, mask = "none", causal = 1 : i64, clear = 0 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_lstm_geometry"()
// CHECK-SAME: direction = "both", hidden = 3 : i64, initial = 0 : i64, order = "ifco"
"tfmbs.fabric_lstm_geometry"() {steps = 4 : i64, batch = 2 : i64, width = 5 : i64, hidden = 3 : i64, direction = "both", order = "ifco", bias = 1 : i64, recurrent_bias = 1 : i64, initial = 0 : i64, cell = 1 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_group_geometry"()
// CHECK-SAME: activations = "absmax", group = 4 : i64
"tfmbs.fabric_group_geometry"() {m = 2 : i64, n = 3 : i64, k = 8 : i64, group = 4 : i64, lhs_m_stride = 8 : i64, lhs_k_stride = 1 : i64, lhs_zero = 0 : i64, scales = 0 : i64, activations = "absmax"} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_schedule"() {block_k = 0 : i64, block_m = 0 : i64, block_n = 0 : i64, buffers = 2 : i64, dataflow = "output_stationary", order = "any", tile_k = 64 : i64, tile_m = 16 : i64, tile_n = 16 : i64, zero_skip = "none"}
"tfmbs.fabric_schedule"() {dataflow = "output_stationary", buffers = 2 : i64, zero_skip = "none", order = "any", block_m = 0 : i64, block_n = 0 : i64, block_k = 0 : i64, tile_m = 16 : i64, tile_n = 16 : i64, tile_k = 64 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_mask"() {words = array<i64: -1, 0, 0, -9223372036854775808>}
"tfmbs.fabric_mask"() {words = array<i64: -1, 0, 0, -9223372036854775808>} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_args"() {values = array<i64: 0, 4294967295>}
"tfmbs.fabric_args"() {values = array<i64: 0, 4294967295>} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_waits"() {values = array<i64>}
"tfmbs.fabric_waits"() {values = array<i64>} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_program"() ({
// CHECK-NEXT: "tfmbs.fabric_siw"() {d_op = "MUL", d_type = "f32", d_va = 1 : i64, d_vb = 1 : i64, d_vd = 2 : i64, s_base = 1 : i64, s_imm = -4 : i64, s_index = 4 : i64, s_op = "LD", s_type = "f32"} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_siw"() {d_aux = "oge", d_op = "CMP", d_type = "f32", d_vd = 1 : i64, deps = 2 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_siw"() {c_aux = "i64", c_op = "CAST", c_reg = 5 : i64, c_src = 6 : i64, c_type = "bf16", deps = 2 : i64, left = 3 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
// CHECK-NEXT: }) {kind = "epilogue", label = "relu", max_steps = 4 : i64, windows = 1 : i64} : () -> ()
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {s_op = "LD", s_type = "f32", s_base = 1 : i64, s_index = 4 : i64, s_imm = -4 : i64, d_op = "MUL", d_type = "f32", d_vd = 2 : i64, d_va = 1 : i64, d_vb = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {d_op = "CMP", d_type = "f32", d_vd = 1 : i64, d_aux = "oge", deps = 2 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "CAST", c_type = "bf16", c_reg = 5 : i64, c_src = 6 : i64, c_aux = "i64", deps = 2 : i64, left = 3 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "epilogue", label = "relu", max_steps = 4 : i64, windows = 1 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_descriptor"()
// CHECK-SAME: kind = "gemm", label = "fc", lhs = 0 : i64
// CHECK-SAME: program = -1 : i64
"tfmbs.fabric_descriptor"() {kind = "gemm", waits_count = 0 : i64, lhs = 0 : i64, rhs = 0 : i64, out = 0 : i64, geometry = 0 : i64, schedule = 0 : i64, mask = 0 : i64, program = -1 : i64, args_first = 0 : i64, args_count = 0 : i64, waits_first = 0 : i64, signal = 0 : i64, telemetry = 0 : i64, label = "fc"} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_entry"()
"tfmbs.fabric_entry"() {label = "main", first_descriptor = 0 : i64, descriptor_count = 1 : i64, inputs_first = 0 : i64, inputs_count = 1 : i64, outputs_first = 1 : i64, outputs_count = 1 : i64, scratch_bytes = 128 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_io"() {label = "x", meaning = "plain", tensor = 0 : i64}
"tfmbs.fabric_io"() {label = "x", meaning = "plain", tensor = 0 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_state"() {bytes = 64 : i64, label = "cache", offset = 0 : i64}
"tfmbs.fabric_state"() {label = "cache", offset = 0 : i64, bytes = 64 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_telemetry"() {fusion_order = -1 : i64, fusion_sparsity = 0.000000e+00 : f32, layer = "fc", mask = 0 : i64, sparsity = 2.500000e-01 : f32, total = 24 : i64, zero_count = 6 : i64}
"tfmbs.fabric_telemetry"() {layer = "fc", mask = 0 : i64, zero_count = 6 : i64, total = 24 : i64, sparsity = 0.25 : f32, fusion_order = -1 : i64, fusion_sparsity = 0.0 : f32} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_debug"() {descriptor = 0 : i64, source = "node fc"}
"tfmbs.fabric_debug"() {descriptor = 0 : i64, source = "node fc"} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 1 : i64, slots = 5 : i64, source = "node relu", word_count = 2 : i64}
"tfmbs.fabric_origin"() {descriptor = 0 : i64, first_word = 1 : i64, slots = 5 : i64, source = "node relu",
    word_count = 2 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_size"() {entry = 0 : i64, high = 128 : i64, label = "seq", low = 2 : i64}
"tfmbs.fabric_size"() {entry = 0 : i64, label = "seq", low = 2 : i64, high = 128 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_patch"() {at = 24 : i64, divisor = 1 : i64, entry = 0 : i64, first_term = 0 : i64, part = 0 : i64, reading = "f32", row = 3 : i64, section = "tensor", shift = 0 : i64, term_count = 1 : i64}
"tfmbs.fabric_patch"() {entry = 0 : i64, row = 3 : i64, first_term = 0 : i64, divisor = 1 : i64, term_count = 1 : i64, section = "tensor", reading = "f32", at = 24 : i64, shift = 0 : i64, part = 0 : i64} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_term"() {coefficient = -4 : i64, degrees = array<i64: 2, 1, 0, 0>}
"tfmbs.fabric_term"() {coefficient = -4 : i64, degrees = array<i64: 2, 1, 0, 0>} : () -> ()
// CHECK-NEXT: "tfmbs.fabric_semantics"() {bytes = 64 : i64, descriptor = 0 : i64, flops = 48 : i64, number = 3 : i64, pattern = "attention", phase = "encoder"}
"tfmbs.fabric_semantics"() {descriptor = 0 : i64, number = 3 : i64, phase = "encoder", pattern = "attention", flops = 48 : i64,
    bytes = 64 : i64} : () -> ()
