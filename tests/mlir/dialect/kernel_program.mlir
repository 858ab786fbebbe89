// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @scan
func.func @scan(%x: memref<8xf32>, %y: memref<8xf32> {tfmbs.output}) {
  // CHECK-NEXT: "tfmbs.kernel_program"() ({
  "tfmbs.kernel_program"() ({
    // CHECK: scf.for
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %zero = arith.constant 0.0 : f32
    %sum = scf.for %i = %c0 to %c8 step %c1 iter_args(%s = %zero) -> f32 {
      %e = memref.load %x[%i] : memref<8xf32>
      %0 = arith.addf %s, %e : f32
      memref.store %0, %y[%i] : memref<8xf32>
      scf.yield %0 : f32
    }
    // CHECK: }) : () -> ()
  }) : () -> ()
  return
}

// Views of run-time offsets and structured ops on them; conditions on loaded values.
// CHECK-LABEL: func.func @row
func.func @row(%x: memref<4x8xf32>, %n: memref<1xi32>, %y: memref<1x8xf32> {tfmbs.output}) {
  // CHECK-NEXT: "tfmbs.kernel_program"() ({
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %limit = arith.constant 4 : i32
    %i = memref.load %n[%c0] : memref<1xi32>
    %in = arith.cmpi ult, %i, %limit : i32
    // CHECK: scf.if
    scf.if %in {
      %r = arith.index_cast %i : i32 to index
      // CHECK: memref.subview
      %v = memref.subview %x[%r, 0] [1, 8] [1, 1] : memref<4x8xf32> to memref<1x8xf32, strided<[8, 1], offset: ?>>
      linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
          ins(%v : memref<1x8xf32, strided<[8, 1], offset: ?>>) outs(%y : memref<1x8xf32>) {
      ^bb0(%e: f32, %o: f32):
        linalg.yield %e : f32
      }
    }
  }) : () -> ()
  return
}
