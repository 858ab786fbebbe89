// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-fabric | filecheck %s

#in = affine_map<(i, j) -> (i, j)>
#out = affine_map<(i, j) -> (i)>

// A sum has 16 partials, folded at the end; the initial value is added last.
// CHECK-LABEL: module attributes
// CHECK:         d_op = "RED"
// CHECK:         d_op = "FOLD"
// CHECK:         d_op = "ADD"
// CHECK:         s_op = "ST"
func.func @sum(%x: memref<3x600xf32>, %init: memref<3xf32>, %y: memref<3xf32> {tfmbs.output}) {
  "tfmbs.kernel_copy"(%init, %y) : (memref<3xf32>, memref<3xf32>) -> ()
  linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]} ins(%x : memref<3x600xf32>) outs(%y : memref<3xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#lhs = affine_map<(i, j, k) -> (i, k)>
#rhs = affine_map<(i, j, k) -> (j, k)>
#res = affine_map<(i, j, k) -> (i, j)>

// An fma is accumulated in the written order: lanes along j, k sequential, the accumulator in a register.
// CHECK-LABEL: module attributes
// CHECK-NOT:     RED
// CHECK:         c_imm = 64 : i64, c_op = "SETVL"
// CHECK:         c_op = "LOOP"
// CHECK:         d_op = "FMA", d_type = "f32", d_va = {{.*}}, d_vb
func.func @fma(%x: memref<4x32xf32>, %w: memref<64x32xf32>, %init: memref<4x64xf32>, %y: memref<4x64xf32> {tfmbs.output}) {
  "tfmbs.kernel_copy"(%init, %y) : (memref<4x64xf32>, memref<4x64xf32>) -> ()
  linalg.generic {indexing_maps = [#lhs, #rhs, #res], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : memref<4x32xf32>, memref<64x32xf32>) outs(%y : memref<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = math.fma %a, %b, %acc : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Reductions that do not collapse are gathered from computed places, so that element i still goes to partial i mod 16.
// CHECK-LABEL: module attributes
// CHECK:         s_imm = 3 : i64, {{.*}}s_op = "INDEX"
// CHECK:         d_op = "DIV", d_type = "i32"
// CHECK:         s_op = "GATHER"
// CHECK:         {{"RED"|"REDUCE"}}
func.func @gathered(%x: memref<2x5x3xf32>, %init: memref<5xf32>, %y: memref<5xf32> {tfmbs.output}) {
  "tfmbs.kernel_copy"(%init, %y) : (memref<5xf32>, memref<5xf32>) -> ()
  linalg.generic {indexing_maps = [affine_map<(r, i, s) -> (r, i, s)>, affine_map<(r, i, s) -> (i)>], iterator_types = ["reduction", "parallel", "reduction"]} ins(%x : memref<2x5x3xf32>) outs(%y : memref<5xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  return
}
