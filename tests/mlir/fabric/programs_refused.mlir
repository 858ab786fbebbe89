// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-assign-memory --tfmbs-to-fabric

func.func @unsigned(%y: memref<8xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %c8 = arith.constant 8 : i32
    %v = arith.constant 1.0 : f32
    // expected-error@+1 {{scf.for: bounds, expected signed ones, got unsigned ones}}
    scf.for unsigned %i = %c0 to %c8 step %c1 : i32 {
      %j = arith.index_cast %i : i32 to index
      memref.store %v, %y[%j] : memref<8xf32>
    }
  }) : () -> ()
  return
}

// -----

func.func @no_step(%y: memref<8xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %c8 = arith.constant 8 : index
    %v = arith.constant 1.0 : f32
    // expected-error@+1 {{scf.for: step, expected at least 1, got 0}}
    scf.for %i = %c0 to %c8 step %c0 {
      memref.store %v, %y[%i] : memref<8xf32>
    }
  }) : () -> ()
  return
}

// -----

func.func @nine_loops(%x: memref<1xi32>, %y: memref<1xi32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %k = memref.load %x[%c0] : memref<1xi32>
    %n = arith.index_cast %k : i32 to index
    scf.for %a = %c0 to %n step %c1 {
      scf.for %b = %c0 to %n step %c1 {
        scf.for %c = %c0 to %n step %c1 {
          scf.for %d = %c0 to %n step %c1 {
            scf.for %e = %c0 to %n step %c1 {
              scf.for %f = %c0 to %n step %c1 {
                scf.for %g = %c0 to %n step %c1 {
                  scf.for %h = %c0 to %n step %c1 {
                    // expected-error@+1 {{scf.for: more than 8 nested loops}}
                    scf.for %i = %c0 to %n step %c1 {
                      %0 = memref.load %y[%c0] : memref<1xi32>
                      %1 = arith.muli %0, %0 : i32
                      memref.store %1, %y[%c0] : memref<1xi32>
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }) : () -> ()
  return
}

// -----

func.func @no_code(%x: memref<8xf32>, %y: memref<8xf32> {tfmbs.output}) {
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<8xf32>
    %n = arith.constant 3 : i32
    // expected-error@+1 {{math.fpowi has no vector instruction}}
    %p = math.fpowi %v, %n : f32, i32
    memref.store %p, %y[%c0] : memref<8xf32>
  }) : () -> ()
  return
}

// -----

func.func @endless(%x: memref<8xf32>, %y: memref<8xf32> {tfmbs.output}) {
  // expected-error@+1 {{instruction words are executed, 1099511627776 are possible}}
  "tfmbs.kernel_program"() ({
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %end = arith.constant 4000000000000 : index
    %zero = arith.constant 0.0 : f32
    %sum = scf.for %i = %c0 to %end step %c1 iter_args(%s = %zero) -> (f32) {
      %v = memref.load %x[%c0] : memref<8xf32>
      %grown = math.exp %s : f32
      %next = arith.divf %v, %grown : f32
      scf.yield %next : f32
    }
    memref.store %sum, %y[%c0] : memref<8xf32>
  }) : () -> ()
  return
}

// -----

func.func @odd_width(%x: memref<8xi32>, %y: memref<8xi32> {tfmbs.output}) {
  // expected-error@+1 {{memref.alloc: element type i7, expected one the device has}}
  %a = memref.alloc() : memref<8xi7>
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : memref<8xi32>) outs(%a : memref<8xi7>) {
  ^bb0(%e: i32, %o: i7):
    %narrow = arith.trunci %e : i32 to i7
    linalg.yield %narrow : i7
  }
  return
}
