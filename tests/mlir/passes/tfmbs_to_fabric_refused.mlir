// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-to-fabric

#id = affine_map<(i) -> (i)>
func.func @opcode(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    // expected-error@+1 {{math.atan has no vector instruction}}
    %0 = math.atan %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
// expected-error@+1 {{func.func: element type complex<f32>, expected one the device has}}
func.func @element_type(%x: memref<4xcomplex<f32>>, %y: memref<4xcomplex<f32>> {tfmbs.output}) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xcomplex<f32>>) outs(%y : memref<4xcomplex<f32>>) {
  ^bb0(%a: complex<f32>, %o: complex<f32>):
    linalg.yield %a : complex<f32>
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @width(%x: memref<4xi32>, %y: memref<4xi32> {tfmbs.output}) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xi32>) outs(%y : memref<4xi32>) {
  ^bb0(%a: i32, %o: i32):
    // expected-error@+1 {{arith.trunci on i24, expected index, i1, i8, i16, i32 or i64}}
    %0 = arith.trunci %a : i32 to i24
    %1 = arith.extsi %0 : i24 to i32
    linalg.yield %1 : i32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @store_in_a_branch(%x: memref<4xi1>, %y: memref<4xi1> {tfmbs.output}) {
  %c0 = arith.constant 0 : index
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xi1>) outs(%y : memref<4xi1>) {
  ^bb0(%a: i1, %o: i1):
    scf.if %a {
      // expected-error@+1 {{memref.store in a branch}}
      memref.store %a, %y[%c0] : memref<4xi1>
    }
    linalg.yield %a : i1
  }
  return
}

// -----

func.func @unplaced(%x: memref<4xf32>) {
  // expected-error@+1 {{memref.alloc, expected tfmbs.offset, of tfmbs-assign-memory, got none}}
  %a = memref.alloc() : memref<4xf32>
  "tfmbs.kernel_copy"(%x, %a) : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

func.func @control(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  %c = arith.constant true
  // expected-error@+1 {{scf.if has no fabric-level form}}
  scf.if %c {
  }
  return
}

// -----

// expected-error@+1 {{type of an argument, expected a memref, got i1}}
func.func @scalar(%x: i1) {
  return
}
