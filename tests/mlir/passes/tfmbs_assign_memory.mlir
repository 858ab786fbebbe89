// RUN: tfmbs-opt %s --split-input-file --tfmbs-assign-memory | filecheck %s

// Two buffers that live together lie apart; a third takes the bytes of the first, which is used through a view last.
// CHECK-LABEL: func.func @reuse
// CHECK-SAME:    attributes {tfmbs.scratch_bytes = 128 : i64, tfmbs.scratch_live_bytes = 128 : i64}
// CHECK:         memref.alloc() {tfmbs.offset = 0 : i64} : memref<4x4xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 64 : i64} : memref<4x4xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 0 : i64} : memref<4x4xf32>
func.func @reuse(%x: memref<4x4xf32>, %y: memref<4x4xf32> {tfmbs.output}) {
  %a = memref.alloc() : memref<4x4xf32>
  "tfmbs.kernel_copy"(%x, %a) : (memref<4x4xf32>, memref<4x4xf32>) -> ()
  %v = memref.reinterpret_cast %a to offset: [0], sizes: [4, 4], strides: [4, 1] : memref<4x4xf32> to memref<4x4xf32>
  %b = memref.alloc() : memref<4x4xf32>
  "tfmbs.kernel_copy"(%v, %b) : (memref<4x4xf32>, memref<4x4xf32>) -> ()
  %c = memref.alloc() : memref<4x4xf32>
  "tfmbs.kernel_copy"(%b, %c) : (memref<4x4xf32>, memref<4x4xf32>) -> ()
  "tfmbs.kernel_copy"(%c, %y) : (memref<4x4xf32>, memref<4x4xf32>) -> ()
  return
}

// -----

// A view keeps its buffer alive; sizes are rounded up to 64 bytes.
// CHECK-LABEL: func.func @view_is_alive
// CHECK-SAME:    attributes {tfmbs.scratch_bytes = 192 : i64, tfmbs.scratch_live_bytes = 192 : i64}
// CHECK:         memref.alloc() {tfmbs.offset = 0 : i64} : memref<17xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 128 : i64} : memref<1xi8>
func.func @view_is_alive(%x: memref<17xf32>, %t: memref<1xi8>, %y: memref<17x1xf32> {tfmbs.output}, %z: memref<1xi8> {tfmbs.output}) {
  %a = memref.alloc() : memref<17xf32>
  "tfmbs.kernel_copy"(%x, %a) : (memref<17xf32>, memref<17xf32>) -> ()
  %v = memref.expand_shape %a [[0, 1]] output_shape [17, 1] : memref<17xf32> into memref<17x1xf32>
  %b = memref.alloc() : memref<1xi8>
  "tfmbs.kernel_copy"(%t, %b) : (memref<1xi8>, memref<1xi8>) -> ()
  "tfmbs.kernel_copy"(%b, %z) : (memref<1xi8>, memref<1xi8>) -> ()
  "tfmbs.kernel_copy"(%v, %y) : (memref<17x1xf32>, memref<17x1xf32>) -> ()
  return
}

// -----

// CHECK-LABEL: func.func @none
// CHECK-SAME:    attributes {tfmbs.scratch_bytes = 0 : i64, tfmbs.scratch_live_bytes = 0 : i64}
func.func @none(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  "tfmbs.kernel_copy"(%x, %y) : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// An elementwise result takes the place of an operand that dies there; one of another size, map or element type does not.
// CHECK-LABEL: func.func @in_place
// CHECK-SAME:    tfmbs.scratch_live_bytes = 128 : i64
// CHECK:         %[[A:.*]] = memref.alloc() {tfmbs.offset = 0 : i64} : memref<4x4xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 0 : i64} : memref<4x4xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 64 : i64} : memref<4x4xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 0 : i64} : memref<4x4xi32>
func.func @in_place(%x: memref<4x4xf32>, %y: memref<4x4xi32> {tfmbs.output}) {
  %a = memref.alloc() : memref<4x4xf32>
  "tfmbs.kernel_copy"(%x, %a) : (memref<4x4xf32>, memref<4x4xf32>) -> ()
  %b = memref.alloc() : memref<4x4xf32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%e: f32, %o: f32):
    %0 = arith.mulf %e, %e : f32
    linalg.yield %0 : f32
  }
  %c = memref.alloc() : memref<4x4xf32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%b : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%e: f32, %o: f32):
    linalg.yield %e : f32
  }
  %d = memref.alloc() : memref<4x4xi32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x4xf32>) outs(%d : memref<4x4xi32>) {
  ^bb0(%e: f32, %o: i32):
    %0 = arith.fptosi %e : f32 to i32
    linalg.yield %0 : i32
  }
  "tfmbs.kernel_copy"(%d, %y) : (memref<4x4xi32>, memref<4x4xi32>) -> ()
  return
}

// -----

// What a program needs is scratch of the function; it is in use for all of the program.
// CHECK-LABEL: func.func @program
// CHECK-SAME:    tfmbs.scratch_bytes = 128 : i64
// CHECK:         memref.alloc() {tfmbs.offset = 0 : i64} : memref<4xf32>
// CHECK:         memref.alloc() {tfmbs.offset = 64 : i64} : memref<4xf32>
func.func @program(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  %a = memref.alloc() : memref<4xf32>
  %b = memref.alloc() : memref<4xf32>
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %0 = memref.load %x[%c0] : memref<4xf32>
    memref.store %0, %a[%c0] : memref<4xf32>
    %1 = memref.load %x[%c0] : memref<4xf32>
    memref.store %1, %b[%c0] : memref<4xf32>
  }) : () -> ()
  "tfmbs.kernel_copy"(%b, %y) : (memref<4xf32>, memref<4xf32>) -> ()
  return
}
