// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-fabric | filecheck %s

// Contiguous dimensions are one loop: 1111 elements are two full vectors and a tail of 87. The constant stays in a register.
// CHECK-LABEL: module attributes
// CHECK:         "tfmbs.fabric_program"() ({
// CHECK:           s_op = "INDEX", {{.*}}s_type = "i32"
// CHECK-NOT:       INDEX
// CHECK:           d_op = "MUL", d_type = "f32"
// CHECK:           c_imm = 87 : i64, c_op = "SETVL"
// CHECK:           d_op = "MUL", d_type = "f32"
// CHECK:         }) {kind = "vector"
func.func @strips(%x: memref<11x101xf32>, %y: memref<11x101xf32> {tfmbs.output}) {
  %two = arith.constant 2.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : memref<11x101xf32>) outs(%y : memref<11x101xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.mulf %a, %two : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A broadcast row: its lanes are one element, loaded with stride 0.
// CHECK-LABEL: module attributes
// CHECK:         "tfmbs.fabric_program"() ({
// CHECK:           c_imm = 8 : i64, c_op = "SETVL"
// CHECK:           s_base = 1 : i64, s_op = "LD", s_reg = {{.*}}, s_type = "f32", s_win = 1 : i64}
// CHECK:           d_op = "ADD"
// CHECK:           c_op = "END"
func.func @broadcast(%x: memref<3x8xf32>, %b: memref<3xf32>, %y: memref<3x8xf32> {tfmbs.output}) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x, %b : memref<3x8xf32>, memref<3xf32>) outs(%y : memref<3x8xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// i8 arithmetic wraps: what is above 8 bits of the sum is not stored, so nothing cuts it. INDEX makes the index.
// CHECK-LABEL: module attributes
// CHECK-NOT:     CVT
// CHECK:         s_op = "INDEX", {{.*}}s_type = "i32"
// CHECK:         d_op = "ADD", d_type = "i32"
// CHECK-NOT:     CVT
// CHECK:         "tfmbs.fabric_entry"
func.func @narrow(%x: memref<4xi8>, %y: memref<4xi8> {tfmbs.output}) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : memref<4xi8>) outs(%y : memref<4xi8>) {
  ^bb0(%a: i8, %o: i8):
    %i = linalg.index 0 : index
    %c = arith.index_cast %i : index to i8
    %0 = arith.addi %a, %c : i8
    linalg.yield %0 : i8
  }
  return
}
