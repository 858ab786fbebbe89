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

// f64 is the special functions' own.
// CHECK-LABEL: func.func @double
// CHECK-NEXT:  arith.addf
// CHECK-NEXT:  return
func.func @double(%x: f64) -> f64 {
  %0 = arith.addf %x, %x : f64
  return %0 : f64
}
