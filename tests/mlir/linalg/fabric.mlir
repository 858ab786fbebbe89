// RUN: tfmbs-opt %s --tfmbs-tile --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric --tfmbs-to-linalg | filecheck %s

// Records become views of byte arenas, the words of a program loops over registers in memory.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  tfmbs.output
// CHECK:       memref.view
// CHECK:       iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK-SAME:  telemetry = {layer = "fc", sparsity = 2.500000e-01 : f64, tile_mask = "0x1", total = 32 : i64, zero_count = 8 : i64}
// CHECK:       math.fma
// CHECK:       scf.for
// CHECK:       memref.load {{.*}} : memref<1xi32>
// CHECK:       arith.bitcast {{.*}} : i32 to f32
// CHECK-NOT:   tfmbs.fabric
func.func @main(%x: tensor<2x8xf32> {tfmbs.name = "x"}, %w: tensor<4x8xf32> {tfmbs.name = "w"}, %b: tensor<4xf32> {tfmbs.name = "b"}) -> (tensor<2x4xf32> {tfmbs.name = "y"}) {
  %0 = "tfmbs.matmul"(%x, %w, %b) ({
  ^bb0(%acc: f32, %bias: f32):
    %1 = arith.addf %acc, %bias : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"], telemetry = {layer = "fc", sparsity = 0.25 : f64, total = 32 : i64, zero_count = 8 : i64}} : (tensor<2x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
