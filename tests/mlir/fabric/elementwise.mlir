// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-fabric | filecheck %s

// Contiguous dimensions are one loop: 1100 elements are two full vectors and a tail of 76. The constant stays in a register.
// CHECK-LABEL: module attributes
// CHECK:         "tfmbs.fabric_program"() ({
// CHECK:           c_imm = 4 : i64, c_op = "LOOP", {{.*}} s_op = "LD", s_type = "i32", s_win = 2 : i64
// CHECK-NEXT:      s_op = "LD", {{.*}}s_type = "f32"}
// CHECK-NEXT:      d_op = "MUL"
// CHECK-NEXT:      s_op = "ST"
// CHECK-NEXT:      s_imm = 512 : i64, s_op = "ADDI"
// CHECK:           c_imm = 76 : i64, c_op = "SETVL"
// CHECK:           s_op = "LD"
// CHECK:           d_op = "MUL"
// CHECK:           s_op = "ST"
// CHECK:         }) {kind = "vector"
func.func @strips(%x: memref<11x100xf32>, %y: memref<11x100xf32> {tfmbs.output}) {
  %two = arith.constant 2.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : memref<11x100xf32>) outs(%y : memref<11x100xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.mulf %a, %two : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A broadcast row has its own pointer, which the outer loop moves; its lanes are one element.
// CHECK-LABEL: module attributes
// CHECK:         "tfmbs.fabric_program"() ({
// CHECK:           c_op = "LOOP"
// CHECK:           s_op = "LD"
// CHECK:           s_op = "LD"
// CHECK:           d_op = "ADD"
// CHECK:           s_imm = 1 : i64, s_op = "ADDI"
// CHECK:           s_imm = 8 : i64, s_op = "ADDI"
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

// i8 arithmetic wraps: a conversion cuts the sum to 8 bits. The index is loaded from a table of the constant window.
// CHECK-LABEL: module attributes
// CHECK:         d_op = "ADD", d_type = "i32"
// CHECK:         d_aux = "i32", d_op = "CVT", d_type = "i8"
// CHECK:         s_op = "ST", {{.*}}s_type = "i8"
// CHECK:         "tfmbs.fabric_data"() {label = "constants", offset = 0 : i64, value = dense<[0, 1, 2, 3]> : tensor<4xi32>}
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
