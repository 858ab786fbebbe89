// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-fabric | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-fabric=verify-schedules=true | filecheck %s

// A product: records in the order of first use, the epilogue as words, what the layer is called and where it comes from.
// CHECK-LABEL: module attributes {tfmbs.target = "kpu-16x16"}
// CHECK:         "tfmbs.fabric_tensor"() {bytes = 32 : i64, {{.*}} dtype = "f32", label = "x", offset = 0 : i64, packing = "dense", rank = 2 : i64, region = "input", slot = 0 : i64}
// CHECK:         "tfmbs.fabric_tensor"() {{.*}} label = "y", {{.*}} region = "output"
// CHECK:         "tfmbs.fabric_tensor"() {{.*}} region = "weights"
// CHECK:         "tfmbs.fabric_gemm_geometry"() {batch = 1 : i64, k = 4 : i64, {{.*}} m = 2 : i64, n = 3 : i64
// CHECK:         "tfmbs.fabric_schedule"() {block_k = 0 : i64, block_m = 0 : i64, block_n = 0 : i64, buffers = 2 : i64, dataflow = "weight_stationary", order = "any", tile_k = 4 : i64, tile_m = 2 : i64, tile_n = 3 : i64, zero_skip = "none"}
// CHECK:         "tfmbs.fabric_mask"() {words = array<i64: 1, 0, 0, 0>}
// CHECK:         "tfmbs.fabric_descriptor"() {{.*}} kind = "gemm", label = "fc"
// CHECK:         "tfmbs.fabric_program"() ({
// CHECK:           s_base = 2 : i64, s_index = 3 : i64, s_op = "LD"
// CHECK:           d_op = "ADD"
// CHECK:           c_op = "END", d_op = "MAX"
// CHECK:         }) {kind = "epilogue", label = "fc.epilogue"
// CHECK:         "tfmbs.fabric_entry"() {descriptor_count = 1 : i64, {{.*}} label = "main"
// CHECK:         "tfmbs.fabric_telemetry"() {{.*}} layer = "fc", mask = 0 : i64, sparsity = 2.500000e-01 : f32, total = 12 : i64, zero_count = 3 : i64
// CHECK:         "tfmbs.fabric_debug"() {descriptor = 0 : i64, source = "node_fc"}
// CHECK:         "tfmbs.fabric_data"() {{.*}} offset = 0 : i64, value = dense<5.000000e-01> : tensor<3x4xf32>
#loc = loc("node_fc")
func.func @main(%x: memref<2x4xf32> {tfmbs.name = "x"}, %y: memref<2x3xf32> {tfmbs.name = "y", tfmbs.output}) {
  %w = "tfmbs.kernel_constant"() {packing = "dense", shape = array<i64: 3, 4>, value = dense<0.5> : tensor<3x4xf32>} : () -> memref<3x4xf32>
  %b = "tfmbs.kernel_constant"() {packing = "dense", shape = array<i64: 3>, value = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : () -> memref<3xf32>
  "tfmbs.kernel_gemm"(%x, %w, %y, %b) ({
  ^bb0(%acc: f32, %ch: f32):
    %0 = arith.addf %acc, %ch : f32
    %zero = arith.constant 0.0 : f32
    %1 = arith.maximumf %0, %zero : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {kind = "gemm", lhs_zero = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, rhs_packing = "dense", roles = ["channel"], tfmbs.schedule = #tfmbs.schedule<"weight_stationary", array<i64: 2, 3, 4>, 2 : i64, "0x1", "any", array<i64: 0, 0, 0>>, telemetry = {layer = "fc", sparsity = 0.25 : f64, zero_count = 3 : i64, total = 12 : i64}} : (memref<2x4xf32>, memref<3x4xf32>, memref<2x3xf32>, memref<3xf32>) -> () loc(#loc)
  return
}

// -----

// Launches wait for what they depend on and no more: the last for its two sources, which wait for nothing but the first.
// CHECK-LABEL: module attributes
// CHECK:         "tfmbs.fabric_descriptor"() {{.*}} signal = 0 : i64, telemetry = -1 : i64, waits_count = 0 : i64
// CHECK:         "tfmbs.fabric_descriptor"() {{.*}} signal = 1 : i64, telemetry = -1 : i64, waits_count = 1 : i64, waits_first = 0 : i64
// CHECK:         "tfmbs.fabric_descriptor"() {{.*}} signal = 2 : i64, telemetry = -1 : i64, waits_count = 1 : i64, waits_first = 1 : i64
// CHECK:         "tfmbs.fabric_descriptor"() {{.*}} signal = 3 : i64, telemetry = -1 : i64, waits_count = 2 : i64, waits_first = 2 : i64
// CHECK:         "tfmbs.fabric_waits"() {values = array<i64: 0, 0, 1, 2>}
#id = affine_map<(d0) -> (d0)>
func.func @waits(%x: memref<8xf32>, %y: memref<8xf32> {tfmbs.output}) {
  %a = memref.alloc() {tfmbs.offset = 0 : i64} : memref<8xf32>
  %b = memref.alloc() {tfmbs.offset = 64 : i64} : memref<8xf32>
  %c = memref.alloc() {tfmbs.offset = 128 : i64} : memref<8xf32>
  "tfmbs.kernel_copy"(%x, %a) : (memref<8xf32>, memref<8xf32>) -> ()
  "tfmbs.kernel_copy"(%a, %b) : (memref<8xf32>, memref<8xf32>) -> ()
  "tfmbs.kernel_copy"(%a, %c) : (memref<8xf32>, memref<8xf32>) -> ()
  linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%a, %b, %c : memref<8xf32>, memref<8xf32>, memref<8xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%u: f32, %v: f32, %w: f32, %o: f32):
    %0 = math.fma %u, %v, %w : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Equal weights are stored once, equal programs too; trits keep their logical shape.
// CHECK-LABEL: module attributes
// CHECK:         "tfmbs.fabric_tensor"() {bytes = 6 : i64, dims = array<i64: 3, 7, 0, 0, 0, 0, 0, 0>, dtype = "trit", {{.*}} packing = "pt5", rank = 2 : i64, region = "weights"
// CHECK-COUNT-2: "tfmbs.fabric_descriptor"
// CHECK:         "tfmbs.fabric_program"()
// CHECK-NOT:     "tfmbs.fabric_program"()
// CHECK:         "tfmbs.fabric_data"()
// CHECK-SAME:      value = dense<121> : tensor<3x2xi8>
// CHECK-NOT:     value = dense<121>
func.func @shared(%x: memref<2x7xf32>, %y: memref<2x3xf32> {tfmbs.output}, %z: memref<2x3xf32> {tfmbs.output}) {
  %v = "tfmbs.kernel_constant"() {packing = "pt5", shape = array<i64: 3, 7>, value = dense<121> : tensor<3x2xi8>} : () -> memref<3x2xi8>
  %w = "tfmbs.kernel_constant"() {packing = "pt5", shape = array<i64: 3, 7>, value = dense<121> : tensor<3x2xi8>} : () -> memref<3x2xi8>
  "tfmbs.kernel_gemm"(%x, %v, %y) ({
  ^bb0(%acc: f32):
    %0 = arith.negf %acc : f32
    "tfmbs.yield"(%0) : (f32) -> ()
  }) {kind = "gemm", lhs_zero = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_packing = "pt5", roles = []} : (memref<2x7xf32>, memref<3x2xi8>, memref<2x3xf32>) -> ()
  "tfmbs.kernel_gemm"(%x, %w, %z) ({
  ^bb0(%acc: f32):
    %0 = arith.negf %acc : f32
    "tfmbs.yield"(%0) : (f32) -> ()
  }) {kind = "gemm", lhs_zero = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_packing = "pt5", roles = []} : (memref<2x7xf32>, memref<3x2xi8>, memref<2x3xf32>) -> ()
  return
}

// -----

// Persistent buffers have places of their own, aligned, and one name is one buffer, whichever function has it.
// CHECK-LABEL: module
// CHECK-DAG: "tfmbs.fabric_tensor"() {{.*}} label = "s", offset = 0 : i64, {{.*}} region = "state"
// CHECK-DAG: "tfmbs.fabric_tensor"() {{.*}} label = "t", offset = 64 : i64, {{.*}} region = "state"
// CHECK:     "tfmbs.fabric_io"() {label = "output0"
// CHECK-NEXT: "tfmbs.fabric_io"() {label = "x"
// CHECK-NEXT: "tfmbs.fabric_state"() {bytes = 12 : i64, label = "s", offset = 0 : i64}
// CHECK-NEXT: "tfmbs.fabric_state"() {bytes = 40 : i64, label = "t", offset = 64 : i64}
// CHECK-NOT: "tfmbs.fabric_state"
func.func @first(%s: memref<3xf32> {tfmbs.state = "s"}, %t: memref<5xi64> {tfmbs.state = "t"}, %y: memref<3xf32> {tfmbs.output}) {
  "tfmbs.kernel_copy"(%s, %y) : (memref<3xf32>, memref<3xf32>) -> ()
  return
}
func.func @second(%t: memref<5xi64> {tfmbs.state = "t"}, %x: memref<5xi64> {tfmbs.name = "x"}) {
  "tfmbs.kernel_copy"(%x, %t) : (memref<5xi64>, memref<5xi64>) -> ()
  return
}
