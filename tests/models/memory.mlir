// Vector code of the kernel level that reads or writes memory at computed places, or what it also writes.

#id = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>
func.func @scattered(%x: memref<300xf16> {tfmbs.name = "x"}, %at: memref<300xi16> {tfmbs.name = "at"},
                     %y: memref<2x300xf16> {tfmbs.name = "y", tfmbs.output}, %z: memref<300xf16> {tfmbs.name = "z", tfmbs.output}) {
  %zero = arith.constant 0.0 : f16
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%y : memref<2x300xf16>) {
  ^bb0(%old: f16):
    linalg.yield %zero : f16
  }
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%x, %at : memref<300xf16>, memref<300xi16>) outs(%z : memref<300xf16>) {
  ^bb0(%value: f16, %place: i16, %old: f16):
    %c1 = arith.constant 1 : index
    %index = arith.index_cast %place : i16 to index
    memref.store %value, %y[%c1, %index] : memref<2x300xf16>
    %negative = arith.negf %value : f16
    linalg.yield %negative : f16
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>
func.func @histogram(%at: memref<500xi32> {tfmbs.name = "at"}, %bins: memref<300xi64> {tfmbs.name = "bins", tfmbs.output},
                     %seen: memref<500xi64> {tfmbs.name = "seen", tfmbs.output}) {
  %zero = arith.constant 0 : i64
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%bins : memref<300xi64>) {
  ^bb0(%old: i64):
    linalg.yield %zero : i64
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%at : memref<500xi32>) outs(%seen : memref<500xi64>) {
  ^bb0(%place: i32, %old: i64):
    %one = arith.constant 1 : i64
    %index = arith.index_cast %place : i32 to index
    %count = memref.load %bins[%index] : memref<300xi64>
    %more = arith.addi %count, %one : i64
    memref.store %more, %bins[%index] : memref<300xi64>
    linalg.yield %count : i64
  }
  return
}

// -----

// What one iteration writes, a later one reads.
#id = affine_map<(i) -> (i)>
func.func @running_sum(%x: memref<40xf32> {tfmbs.name = "x"}, %y: memref<41xf32> {tfmbs.name = "y", tfmbs.output}) {
  %start = arith.constant 0.5 : f32
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%y : memref<41xf32>) {
  ^bb0(%old: f32):
    linalg.yield %start : f32
  }
  %before = memref.reinterpret_cast %y to offset: [0], sizes: [40], strides: [1] : memref<41xf32> to memref<40xf32, strided<[1]>>
  %after = memref.reinterpret_cast %y to offset: [1], sizes: [40], strides: [1] : memref<41xf32> to memref<40xf32, strided<[1], offset: 1>>
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%x, %before : memref<40xf32>, memref<40xf32, strided<[1]>>) outs(%after : memref<40xf32, strided<[1], offset: 1>>) {
  ^bb0(%a: f32, %sum: f32, %old: f32):
    %0 = arith.addf %sum, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

func.func @transposed_in_place(%x: memref<5x5xi8> {tfmbs.name = "x"}, %y: memref<5x5xi8> {tfmbs.name = "y", tfmbs.output}) {
  "tfmbs.kernel_copy"(%x, %y) : (memref<5x5xi8>, memref<5x5xi8>) -> ()
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%y : memref<5x5xi8>) outs(%y : memref<5x5xi8>) {
  ^bb0(%a: i8, %old: i8):
    %0 = arith.addi %a, %old : i8
    linalg.yield %0 : i8
  }
  return
}

// -----

// Several iterations write one element: the last one stays.
func.func @overwritten(%x: memref<4x7xf64> {tfmbs.name = "x"}, %y: memref<10xf64> {tfmbs.name = "y", tfmbs.output}) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i + j)>], iterator_types = ["parallel", "parallel"]} ins(%x : memref<4x7xf64>) outs(%y : memref<10xf64>) {
  ^bb0(%a: f64, %old: f64):
    linalg.yield %a : f64
  }
  return
}

// -----

func.func @accumulated_by_remainder(%x: memref<3x50xf32> {tfmbs.name = "x"}, %y: memref<3x16xf32> {tfmbs.name = "y", tfmbs.output}) {
  %start = arith.constant 0.25 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%y : memref<3x16xf32>) {
  ^bb0(%old: f32):
    linalg.yield %start : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j mod 16)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<3x50xf32>) outs(%y : memref<3x16xf32>) {
  ^bb0(%a: f32, %sum: f32):
    %0 = arith.mulf %sum, %a : f32
    linalg.yield %0 : f32
  }
  return
}
