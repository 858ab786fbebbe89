// RUN: tfmbs-opt %s --split-input-file --tfmbs-assign-memory --tfmbs-to-fabric | filecheck %s

// A while loop is a loop that BREAK leaves; what it hands on stays in registers.
// CHECK: tfmbs.fabric_program
// CHECK: c_op = "LOOP"
// CHECK: d_op = "CMP"
// CHECK: s_op = "SGET"
// CHECK: c_op = "BREAK"
// CHECK: d_op = "MUL"
// CHECK: max_steps = 1099511627776
func.func @while(%x: memref<1xf32>, %y: memref<1xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %limit = arith.constant 100.0 : f32
    %first = memref.load %x[%c0] : memref<1xf32>
    %0 = scf.while (%a = %first) : (f32) -> f32 {
      %go = arith.cmpf olt, %a, %limit : f32
      scf.condition(%go) %a : f32
    } do {
    ^bb0(%a: f32):
      %1 = arith.mulf %a, %a : f32
      scf.yield %1 : f32
    }
    memref.store %0, %y[%c0] : memref<1xf32>
  }) : () -> ()
  return
}

// -----

// Stores under a condition are skipped, each branch unless it is taken.
// CHECK: tfmbs.fabric_program
// CHECK: s_op = "SGET"
// CHECK: c_op = "SKIP"
// CHECK: c_op = "SKIP"
func.func @if(%x: memref<2xf32>, %c: memref<1xi1>, %y: memref<2xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %go = memref.load %c[%c0] : memref<1xi1>
    %a = memref.load %x[%c0] : memref<2xf32>
    scf.if %go {
      memref.store %a, %y[%c0] : memref<2xf32>
    } else {
      memref.store %a, %y[%c1] : memref<2xf32>
    }
  }) : () -> ()
  return
}

// -----

// A prefix sum of 20 elements is one vector of SCAN.
// CHECK: tfmbs.fabric_program
// CHECK-NOT: c_op = "LOOP"
// CHECK: c_imm = 20 : i64, c_op = "SETVL"
// CHECK: d_op = "SCAN"
// CHECK: s_op = "ST"
func.func @scan(%x: memref<20xf32>, %y: memref<20xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c20 = arith.constant 20 : index
    %zero = arith.constant 0.0 : f32
    %0 = scf.for %i = %c0 to %c20 step %c1 iter_args(%s = %zero) -> f32 {
      %e = memref.load %x[%i] : memref<20xf32>
      %t = arith.addf %s, %e : f32
      memref.store %t, %y[%i] : memref<20xf32>
      scf.yield %t : f32
    }
  }) : () -> ()
  return
}

// -----

// A recurrence through memory stays a loop of single elements, whose pointer moves once an iteration.
// CHECK: tfmbs.fabric_program
// CHECK: c_op = "LOOP"
// CHECK-NOT: SCAN
func.func @recurrence(%y: memref<2000xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c1 = arith.constant 1 : index
    %c2000 = arith.constant 2000 : index
    scf.for %i = %c1 to %c2000 step %c1 {
      %h = arith.subi %i, %c1 : index
      %e = memref.load %y[%h] : memref<2000xf32>
      %t = math.sqrt %e : f32
      memref.store %t, %y[%i] : memref<2000xf32>
    }
  }) : () -> ()
  return
}

// -----

// A scatter in a loop whose length is known at run time: SETVLR shortens the last vector.
// CHECK: tfmbs.fabric_program
// CHECK: c_op = "LOOP"
// CHECK: c_op = "SETVLR"
// CHECK: s_op = "SCATTER"
func.func @scatter(%x: memref<2000xf32>, %at: memref<2000xi32>, %n: memref<1xi32>, %y: memref<64xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %k = memref.load %n[%c0] : memref<1xi32>
    %count = arith.index_cast %k : i32 to index
    scf.for %i = %c0 to %count step %c1 {
      %e = memref.load %x[%i] : memref<2000xf32>
      %a = memref.load %at[%i] : memref<2000xi32>
      %j = arith.index_cast %a : i32 to index
      memref.store %e, %y[%j] : memref<64xf32>
    }
  }) : () -> ()
  return
}
