// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-to-fabric

#id = affine_map<(i) -> (i)>
func.func @opcode(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    // expected-error@+1 {{math.sin has no vector instruction}}
    %0 = math.sin %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @element_type(%x: memref<4xi64>, %y: memref<4xi64> {tfmbs.output}) {
  // expected-error@+1 {{linalg.generic: element type in vector code, expected BOOL, F32, I16, I32, I8, U16, U32, U8, got I64}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xi64>) outs(%y : memref<4xi64>) {
  ^bb0(%a: i64, %o: i64):
    linalg.yield %a : i64
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @wide_arithmetic(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    // expected-error@+1 {{arith.extf has no vector instruction}}
    %0 = arith.extf %a : f32 to f64
    %1 = arith.truncf %0 : f64 to f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @modulo(%x: memref<4xf32>, %y: memref<4xf32> {tfmbs.output}) {
  // expected-error@+1 {{linalg.generic: index d0 mod 2, expected a linear one}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i mod 2)>, #id], iterator_types = ["parallel"]} ins(%x : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

func.func @mixed(%x: memref<4x8xf32>, %s: memref<4xf32> {tfmbs.output}, %p: memref<4xf32> {tfmbs.output}) {
  // expected-error@+1 {{linalg.generic: a sum beside another kind of reduction in one loop nest}}
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x8xf32>) outs(%s, %p : memref<4xf32>, memref<4xf32>) {
  ^bb0(%a: f32, %sum: f32, %product: f32):
    %0 = arith.addf %sum, %a : f32
    %1 = arith.mulf %product, %a : f32
    linalg.yield %0, %1 : f32, f32
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
