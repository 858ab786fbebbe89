// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-arith | filecheck %s

// Only the last of a chain of arithmetic shows its bits.
// CHECK-LABEL: func.func @chain
// CHECK:       arith.mulf
// CHECK-NEXT:  arith.addf
// CHECK-NEXT:  math.fma
// CHECK-NEXT:  arith.bitcast {{.*}} : f32 to i32
// CHECK:       arith.select
// CHECK-NEXT:  %[[SAFE:.*]] = arith.bitcast {{.*}} : i32 to f32
// CHECK-NEXT:  return %[[SAFE]]
func.func @chain(%x: f32, %y: f32) -> f32 {
  %0 = arith.mulf %x, %y : f32
  %1 = arith.addf %0, %y : f32
  %2 = math.fma %1, %x, %y : f32
  return %2 : f32
}

// -----

// A selected value shows its bits, a compared one does not.
// CHECK-LABEL: func.func @select
// CHECK:       %[[SUM:.*]] = arith.addf
// CHECK:       %[[SAFE:.*]] = arith.bitcast {{.*}} : i32 to f32
// CHECK:       %[[C:.*]] = arith.cmpf ogt, %[[SUM]], %{{.*}}
// CHECK:       arith.select %[[C]], %[[SAFE]], %{{.*}}
func.func @select(%x: f32, %y: f32) -> f32 {
  %0 = arith.addf %x, %y : f32
  %1 = arith.cmpf ogt, %0, %x : f32
  %2 = arith.select %1, %0, %y : f32
  return %2 : f32
}

// -----

// Sign operations and moves keep NaN bits.
// CHECK-LABEL: func.func @moves
// CHECK-NEXT:  arith.negf
// CHECK-NEXT:  math.absf
// CHECK-NEXT:  return
func.func @moves(%x: f32) -> f32 {
  %0 = arith.negf %x : f32
  %1 = math.absf %0 : f32
  return %1 : f32
}

// -----

// CHECK-LABEL: func.func @convert
// CHECK:       arith.cmpf ult, %[[X:.*]], %{{.*}} : f32
// CHECK:       arith.fptosi %[[X]] : f32 to i8
// CHECK:       arith.cmpf oge, %[[X]]
// CHECK:       arith.cmpf uno, %[[X]], %[[X]]
func.func @convert(%x: f32) -> i8 {
  %0 = arith.fptosi %x : f32 to i8
  return %0 : i8
}

// -----

// The division itself sees no zero and no overflow.
// CHECK-LABEL: func.func @divide
// CHECK:       arith.cmpi eq, %[[B:.*]], %{{.*}} : i32
// CHECK:       %[[SAFE:.*]] = arith.select %{{.*}}, %{{.*}}, %[[B]] : i32
// CHECK:       arith.divsi %{{.*}}, %[[SAFE]]
func.func @divide(%a: i32, %b: i32) -> i32 {
  %0 = arith.divsi %a, %b : i32
  return %0 : i32
}

// -----

// CHECK-LABEL: func.func @shift
// CHECK:       arith.cmpi ule
// CHECK:       arith.shli
// CHECK:       arith.select
func.func @shift(%a: i32, %b: i32) -> i32 {
  %0 = arith.shli %a, %b : i32
  return %0 : i32
}

// -----

// f64 has its canonical NaN.
// CHECK-LABEL: func.func @double
// CHECK-NEXT:  arith.addf
// CHECK:       arith.constant 9221120237041090560 : i64
// CHECK-NEXT:  arith.select
func.func @double(%x: f64) -> f64 {
  %0 = arith.addf %x, %x : f64
  return %0 : f64
}

// -----

// f16 and bf16 compute in f32 and are rounded by integer code: nothing but moves of these types is left.
// CHECK-LABEL: func.func @half
// CHECK:       arith.bitcast %arg0 : f16 to i16
// CHECK:       arith.mulf {{.*}} : f32
// CHECK:       arith.addf {{.*}} : f32
// CHECK:       arith.bitcast {{.*}} : i16 to f16
// CHECK-NOT:   arith.{{(addf|extf|truncf)}}
// CHECK:       return
func.func @half(%x: f16) -> f16 {
  %0 = arith.addf %x, %x : f16
  return %0 : f16
}

// -----

// CHECK-LABEL: func.func @brain
// CHECK:       arith.sitofp %{{.*}} : i64 to f64
// CHECK-NOT:   arith.truncf
// CHECK:       arith.bitcast {{.*}} : i16 to bf16
// CHECK:       arith.shli
// CHECK:       arith.cmpf olt, {{.*}} : f32
// CHECK:       return
func.func @brain(%i: i64, %y: bf16) -> i1 {
  %1 = arith.sitofp %i : i64 to bf16
  %2 = arith.cmpf olt, %1, %y : bf16
  return %2 : i1
}

// -----

// Promises are dropped; what they exclude has results as well.
// CHECK-LABEL: func.func @promises
// CHECK:       arith.addi %arg0, %arg1 : i32
// CHECK:       arith.addf %arg2, %arg2 : f32
// CHECK:       arith.extui {{.*}} : i32 to i64
func.func @promises(%a: i32, %b: i32, %x: f32) -> (i64, f32) {
  %0 = arith.addi %a, %b overflow<nsw> : i32
  %1 = arith.addf %x, %x fastmath<fast> : f32
  %2 = arith.extui %0 nneg : i32 to i64
  return %2, %1 : i64, f32
}

// -----

// What a name or a type implies becomes visible, so that it can be written out.
// CHECK-LABEL: func.func @named
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:   linalg.add
func.func @named(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.add ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  %1 = arith.mulf %0, %y : tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// One bit has one divisor.
// CHECK-LABEL: func.func @bit
// CHECK-NEXT:  arith.andi %arg0, %arg1 : i1
// CHECK-NEXT:  return
func.func @bit(%a: i1, %b: i1) -> i1 {
  %0 = arith.divsi %a, %b : i1
  return %0 : i1
}
