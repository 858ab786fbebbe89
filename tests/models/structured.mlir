// Structured code that tests/models/test_control_bytes.py compiles and compares with its meaning, function by function.


func.func @computed_padding(%x: tensor<8xf32>) -> (tensor<12xf32>, tensor<2x2xf32>) {
  %c0 = arith.constant 0 : index
  %f = tensor.extract %x[%c0] : tensor<8xf32>
  %p = tensor.pad %x low[1] high[3] {
   ^bb0(%i: index):
     tensor.yield %f : f32
  } : tensor<8xf32> to tensor<12xf32>
  %fe = tensor.from_elements %f, %f, %f, %f : tensor<2x2xf32>
  return %p, %fe : tensor<12xf32>, tensor<2x2xf32>
}


func.func @gather(%x: tensor<5x8xf32>, %i: tensor<3x4xi64>) -> tensor<3x4x8xf32> {
  %e = tensor.empty() : tensor<3x4x8xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(a,b,c) -> (a,b)>, affine_map<(a,b,c)->(a,b,c)>], iterator_types = ["parallel","parallel","parallel"]} ins(%i : tensor<3x4xi64>) outs(%e : tensor<3x4x8xf32>) {
  ^bb0(%ii: i64, %acc: f32):
    %r = arith.index_cast %ii : i64 to index
    %k = linalg.index 2 : index
    %c4 = arith.constant 4 : index
    %r2 = arith.minsi %r, %c4 : index
    %v = tensor.extract %x[%r2, %k] : tensor<5x8xf32>
    linalg.yield %v : f32
  } -> tensor<3x4x8xf32>
  return %0 : tensor<3x4x8xf32>
}


func.func @scatter_add(%x: tensor<16xf32>, %p: tensor<16xi32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %z = arith.constant dense<0.0> : tensor<16xf32>
  %r = scf.for %i = %c0 to %c16 step %c1 iter_args(%a = %z) -> tensor<16xf32> {
    %v = tensor.extract %x[%i] : tensor<16xf32>
    %j = tensor.extract %p[%i] : tensor<16xi32>
    %jj = arith.index_cast %j : i32 to index
    %o = tensor.extract %a[%jj] : tensor<16xf32>
    %s = arith.addf %o, %v : f32
    %b = tensor.insert %s into %a[%jj] : tensor<16xf32>
    scf.yield %b : tensor<16xf32>
  }
  %e = tensor.empty() : tensor<16xf32>
  %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%r: tensor<16xf32>) outs(%e: tensor<16xf32>) {
      ^bb0(%v: f32, %z2: f32):
        %w = arith.addf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<16xf32>
  return %r, %t : tensor<16xf32>, tensor<16xf32>
}


func.func @index_switch(%x: tensor<16xf32>, %n: tensor<i32>) -> tensor<16xf32> {
  %k = tensor.extract %n[] : tensor<i32>
  %kk = arith.index_cast %k : i32 to index
  %r = scf.index_switch %kk -> tensor<16xf32>
  case 1 {
    %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>], iterator_types=["parallel"]} outs(%x: tensor<16xf32>) {
      ^bb0(%v: f32):
        %w = arith.addf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<16xf32>
    scf.yield %t : tensor<16xf32>
  }
  case 2 {
    %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>], iterator_types=["parallel"]} outs(%x: tensor<16xf32>) {
      ^bb0(%v: f32):
        %w = arith.mulf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<16xf32>
    scf.yield %t : tensor<16xf32>
  }
  default {
    scf.yield %x : tensor<16xf32>
  }
  return %r : tensor<16xf32>
}


func.func @computed_slice(%x: tensor<4xf32>, %y: tensor<4x4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c1 = arith.constant 1 : index
  %s = tensor.extract %x[%c1] : tensor<4xf32>
  %q = arith.fptosi %s : f32 to i32
  %three = arith.constant 3 : i32
  %zero = arith.constant 0 : i32
  %q1 = arith.maxsi %q, %zero : i32
  %q2 = arith.minsi %q1, %three : i32
  %qi = arith.index_cast %q2 : i32 to index
  %e = tensor.empty() : tensor<4xf32>
  %t = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%x: tensor<4xf32>) outs(%e: tensor<4xf32>) {
      ^bb0(%v: f32, %z2: f32):
        %w = arith.addf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<4xf32>
  %row = tensor.extract_slice %y[%qi, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
  %u = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>,affine_map<(d0)->()>,affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%row, %s: tensor<4xf32>, f32) outs(%e: tensor<4xf32>) {
      ^bb0(%v: f32, %sc: f32, %z2: f32):
        %w = arith.mulf %v, %sc : f32
        linalg.yield %w : f32
    } -> tensor<4xf32>
  return %t, %u : tensor<4xf32>, tensor<4xf32>
}


// Elements of a view at a computed place, loaded and stored in one run of straight-line code.
func.func @elements_of_slice(%x: tensor<4x4xf32>, %n: tensor<i32>) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %three = arith.constant 3 : i32
  %out = scf.for %k = %c0 to %c4 step %c1 iter_args(%all = %x) -> (tensor<4x4xf32>) {
    %v = tensor.extract %n[] : tensor<i32>
    %k32 = arith.index_cast %k : index to i32
    %sum = arith.addi %v, %k32 : i32
    %masked = arith.andi %sum, %three : i32
    %row = arith.index_cast %masked : i32 to index
    %slice = tensor.extract_slice %all[%row, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
    %a = tensor.extract %slice[%c0, %c1] : tensor<1x4xf32>
    %b = tensor.extract %slice[%c0, %c2] : tensor<1x4xf32>
    %p = arith.mulf %a, %b : f32
    %s1 = tensor.insert %p into %slice[%c0, %c3] : tensor<1x4xf32>
    %q = arith.addf %p, %a : f32
    %s2 = tensor.insert %q into %s1[%c0, %c0] : tensor<1x4xf32>
    %next = tensor.insert_slice %s2 into %all[%row, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
    scf.yield %next : tensor<4x4xf32>
  }
  return %out : tensor<4x4xf32>
}

func.func @chosen_tensor(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: tensor<i1>) -> tensor<4xf32> {
  %s = tensor.extract %c[] : tensor<i1>
  %r = arith.select %s, %x, %y : tensor<4xf32>
  return %r : tensor<4xf32>
}


func.func @matmul_power(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<4x4xf32> {
    %0 = "tfmbs.matmul"(%a, %w) ({
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %0 : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}


func.func @bubble_sort(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c7 = arith.constant 7 : index
  %r = scf.for %i = %c0 to %c8 step %c1 iter_args(%a = %x) -> tensor<8xf32> {
    %m = arith.subi %c7, %i : index
    %q = scf.for %j = %c0 to %m step %c1 iter_args(%b = %a) -> tensor<8xf32> {
      %k = arith.addi %j, %c1 : index
      %u = tensor.extract %b[%j] : tensor<8xf32>
      %v = tensor.extract %b[%k] : tensor<8xf32>
      %gt = arith.cmpf ogt, %u, %v : f32
      %w = scf.if %gt -> tensor<8xf32> {
        %d = tensor.insert %v into %b[%j] : tensor<8xf32>
        %e = tensor.insert %u into %d[%k] : tensor<8xf32>
        scf.yield %e : tensor<8xf32>
      } else {
        scf.yield %b : tensor<8xf32>
      }
      scf.yield %w : tensor<8xf32>
    }
    scf.yield %q : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}


func.func @newton(%x: tensor<f32>) -> (tensor<f32>, tensor<i32>) {
  %a = tensor.extract %x[] : tensor<f32>
  %one = arith.constant 1.0 : f32
  %half = arith.constant 0.5 : f32
  %eps = arith.constant 1.0e-6 : f32
  %zero = arith.constant 0 : i32
  %ione = arith.constant 1 : i32
  %lim = arith.constant 50 : i32
  %aa = math.absf %a : f32
  %r:2 = scf.while (%y = %one, %i = %zero) : (f32, i32) -> (f32, i32) {
    %y2 = arith.mulf %y, %y : f32
    %d = arith.subf %y2, %aa : f32
    %ad = math.absf %d : f32
    %go = arith.cmpf ogt, %ad, %eps : f32
    %more = arith.cmpi slt, %i, %lim : i32
    %c = arith.andi %go, %more : i1
    scf.condition(%c) %y, %i : f32, i32
  } do {
  ^bb0(%y: f32, %i: i32):
    %q = arith.divf %aa, %y : f32
    %s = arith.addf %y, %q : f32
    %n = arith.mulf %s, %half : f32
    %j = arith.addi %i, %ione : i32
    scf.yield %n, %j : f32, i32
  }
  %o = tensor.from_elements %r#0 : tensor<f32>
  %p = tensor.from_elements %r#1 : tensor<i32>
  return %o, %p : tensor<f32>, tensor<i32>
}


func.func @rows_by_index(%x: tensor<8x16xf32>, %idx: tensor<8xi32>) -> (tensor<8x16xf32>, tensor<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x16xf32>
  %r:2 = scf.for %i = %c0 to %c8 step %c1 iter_args(%a = %e, %s = %z) -> (tensor<8x16xf32>, f32) {
    %ii = tensor.extract %idx[%i] : tensor<8xi32>
    %j = arith.index_cast %ii : i32 to index
    %row = tensor.extract_slice %x[%j, 0] [1, 16] [1, 1] : tensor<8x16xf32> to tensor<1x16xf32>
    %t = tensor.empty() : tensor<1x16xf32>
    %m = linalg.generic {indexing_maps=[affine_map<(d0,d1)->(d0,d1)>, affine_map<(d0,d1)->(d0,d1)>], iterator_types=["parallel","parallel"]} ins(%row: tensor<1x16xf32>) outs(%t: tensor<1x16xf32>) {
      ^bb0(%u: f32, %v: f32):
        %w = arith.mulf %u, %s : f32
        linalg.yield %w : f32
    } -> tensor<1x16xf32>
    %n = tensor.insert_slice %m into %a[%i, 0] [1, 16] [1, 1] : tensor<1x16xf32> into tensor<8x16xf32>
    %q = tensor.extract %n[%i, %i] : tensor<8x16xf32>
    %s2 = arith.addf %s, %q : f32
    scf.yield %n, %s2 : tensor<8x16xf32>, f32
  }
  %o = tensor.from_elements %r#1 : tensor<f32>
  return %r#0, %o : tensor<8x16xf32>, tensor<f32>
}


func.func @swapped_tensors(%x: tensor<16xf32>, %y: tensor<16xf32>, %n: tensor<i32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %ni = tensor.extract %n[] : tensor<i32>
  %nn = arith.index_cast %ni : i32 to index
  %r:2 = scf.for %i = %c0 to %nn step %c1 iter_args(%a = %x, %b = %y) -> (tensor<16xf32>, tensor<16xf32>) {
    %k = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>, affine_map<(d0)->(d0)>], iterator_types=["parallel"]} ins(%a: tensor<16xf32>) outs(%b: tensor<16xf32>) {
      ^bb0(%u: f32, %v: f32):
        %w = arith.mulf %u, %v : f32
        linalg.yield %w : f32
    } -> tensor<16xf32>
    scf.yield %k, %a : tensor<16xf32>, tensor<16xf32>
  }
  return %r#0, %r#1 : tensor<16xf32>, tensor<16xf32>
}


func.func @doubled_until(%x: tensor<16xf32>) -> (tensor<16xf32>, tensor<i32>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %lim = arith.constant 10.0 : f32
  %r:2 = scf.while (%a = %x, %i = %z) : (tensor<16xf32>, i32) -> (tensor<16xf32>, i32) {
    %u = tensor.extract %a[%c0] : tensor<16xf32>
    %below = arith.cmpf olt, %u, %lim : f32
    %most = arith.constant 20 : i32
    %more = arith.cmpi slt, %i, %most : i32
    %c = arith.andi %below, %more : i1
    scf.condition(%c) %a, %i : tensor<16xf32>, i32
  } do {
  ^bb0(%a: tensor<16xf32>, %i: i32):
    %k = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>], iterator_types=["parallel"]} outs(%a: tensor<16xf32>) {
      ^bb0(%v: f32):
        %w = arith.addf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<16xf32>
    %j = arith.addi %i, %one : i32
    scf.yield %k, %j : tensor<16xf32>, i32
  }
  %o = tensor.from_elements %r#1 : tensor<i32>
  return %r#0, %o : tensor<16xf32>, tensor<i32>
}


func.func @branch(%x: tensor<16xf32>, %y: tensor<16xf32>) -> (tensor<16xf32>) {
  %c0 = arith.constant 0 : index
  %lim = arith.constant 10.0 : f32
    %u = tensor.extract %x[%c0] : tensor<16xf32>
    %c = arith.cmpf olt, %u, %lim : f32
  %r = scf.if %c -> tensor<16xf32> {
    %k = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>], iterator_types=["parallel"]} outs(%x: tensor<16xf32>) {
      ^bb0(%v: f32):
        %w = arith.addf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<16xf32>
    scf.yield %k : tensor<16xf32>
  } else {
    scf.yield %y : tensor<16xf32>
  }
  return %r : tensor<16xf32>
}


func.func @nothing_folded(%x: tensor<8xf32>, %c: tensor<i1>) -> (tensor<8xf32>, tensor<f32>, tensor<8xf32>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 1.0 : f32
  %f = tensor.extract %x[%c0] : tensor<8xf32>
  %e = arith.extf %f : f32 to f64
  %g = arith.truncf %e : f64 to f32
  %h = arith.mulf %g, %z : f32
  %m = arith.maximumf %h, %h : f32
  %o = tensor.from_elements %m : tensor<f32>
  %cc = tensor.extract %c[] : tensor<i1>
  %d = tensor.empty() : tensor<8xf32>
  %r = scf.if %cc -> tensor<8xf32> {
    %k = linalg.generic {indexing_maps=[affine_map<(d0)->(d0)>], iterator_types=["parallel"]} outs(%x: tensor<8xf32>) {
      ^bb0(%v: f32):
        %w = arith.addf %v, %v : f32
        linalg.yield %w : f32
    } -> tensor<8xf32>
    %q = linalg.copy ins(%k: tensor<8xf32>) outs(%d: tensor<8xf32>) -> tensor<8xf32>
    scf.yield %q : tensor<8xf32>
  } else {
    %q = linalg.copy ins(%x: tensor<8xf32>) outs(%d: tensor<8xf32>) -> tensor<8xf32>
    scf.yield %q : tensor<8xf32>
  }
  %i = arith.constant 3 : index
  %gen = tensor.generate {
   ^bb0(%j: index):
     %t = arith.addi %j, %i : index
     %u = arith.index_cast %t : index to i32
     %v = arith.sitofp %u : i32 to f32
     tensor.yield %v : f32
  } : tensor<8xf32>
  return %r, %o, %gen : tensor<8xf32>, tensor<f32>, tensor<8xf32>
}


func.func @cumulative_sum(%x: tensor<3x1100xf32>, %n: tensor<i32>) -> tensor<3x1100xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c1100 = arith.constant 1100 : index
  %zero = arith.constant 0.0 : f32
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<3x1100xf32> {
    %q:2 = scf.for %j = %c0 to %c1100 step %c1 iter_args(%b = %a, %s = %zero) -> (tensor<3x1100xf32>, f32) {
      %e = tensor.extract %b[%i, %j] : tensor<3x1100xf32>
      %t = arith.addf %s, %e : f32
      %d = tensor.insert %t into %b[%i, %j] : tensor<3x1100xf32>
      scf.yield %d, %t : tensor<3x1100xf32>, f32
    }
    scf.yield %q#0 : tensor<3x1100xf32>
  }
  return %r : tensor<3x1100xf32>
}

func.func @triangle(%x: tensor<6x6xi32>, %n: tensor<i32>, %m: tensor<i32>) -> (tensor<6x6xi32>, tensor<i64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %k = tensor.extract %n[] : tensor<i32>
  %l = tensor.extract %m[] : tensor<i32>
  %high = arith.index_cast %k : i32 to index
  %low = arith.index_cast %l : i32 to index
  %r:2 = scf.for %i = %low to %high step %c1 iter_args(%a = %x, %count = %c0) -> (tensor<6x6xi32>, index) {
    %q:2 = scf.for %j = %low to %i step %c1 iter_args(%b = %a, %d = %count) -> (tensor<6x6xi32>, index) {
      %e = tensor.extract %b[%j, %i] : tensor<6x6xi32>
      %f = tensor.extract %b[%i, %j] : tensor<6x6xi32>
      %s = arith.addi %e, %f : i32
      %g = tensor.insert %s into %b[%i, %j] : tensor<6x6xi32>
      %next = arith.addi %d, %c1 : index
      scf.yield %g, %next : tensor<6x6xi32>, index
    }
    scf.yield %q#0, %q#1 : tensor<6x6xi32>, index
  }
  %i64 = arith.index_cast %r#1 : index to i64
  %o = tensor.from_elements %i64 : tensor<i64>
  return %r#0, %o : tensor<6x6xi32>, tensor<i64>
}

func.func @steps(%x: tensor<40xf32>, %n: tensor<i32>) -> (tensor<40xf32>, tensor<40xf32>) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c40 = arith.constant 40 : index
  %k = tensor.extract %n[] : tensor<i32>
  %m = arith.index_cast %k : i32 to index
  %step = arith.addi %m, %c1 : index
  %r = scf.for %i = %m to %c40 step %c3 iter_args(%a = %x) -> tensor<40xf32> {
    %e = tensor.extract %a[%i] : tensor<40xf32>
    %s = arith.mulf %e, %e : f32
    %b = tensor.insert %s into %a[%i] : tensor<40xf32>
    scf.yield %b : tensor<40xf32>
  }
  %q = scf.for %i = %c2 to %c40 step %step iter_args(%a = %x) -> tensor<40xf32> {
    %e = tensor.extract %x[%i] : tensor<40xf32>
    %s = arith.addf %e, %e : f32
    %b = tensor.insert %s into %a[%i] : tensor<40xf32>
    scf.yield %b : tensor<40xf32>
  }
  return %r, %q : tensor<40xf32>, tensor<40xf32>
}

func.func @long_dynamic(%x: tensor<1300xf32>, %y: tensor<1300xf32>, %n: tensor<i32>) -> (tensor<1300xf32>, tensor<f32>, tensor<i32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %k = tensor.extract %n[] : tensor<i32>
  %scale = arith.constant 300 : i32
  %n300 = arith.muli %k, %scale : i32
  %m = arith.index_cast %n300 : i32 to index
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %one = arith.constant 1 : i32
  %izero = arith.constant 0 : i32
  %r:3 = scf.for %i = %c0 to %m step %c1 iter_args(%a = %x, %big = %least, %sum = %izero) -> (tensor<1300xf32>, f32, i32) {
    %e = tensor.extract %x[%i] : tensor<1300xf32>
    %f = tensor.extract %y[%i] : tensor<1300xf32>
    %p = arith.mulf %e, %f : f32
    %b = tensor.insert %p into %a[%i] : tensor<1300xf32>
    %g = arith.maximumf %big, %p : f32
    %j = arith.index_cast %i : index to i32
    %t = arith.addi %sum, %j : i32
    scf.yield %b, %g, %t : tensor<1300xf32>, f32, i32
  }
  %o = tensor.from_elements %r#1 : tensor<f32>
  %s = tensor.from_elements %r#2 : tensor<i32>
  return %r#0, %o, %s : tensor<1300xf32>, tensor<f32>, tensor<i32>
}

func.func @recurrence(%x: tensor<20xf64>) -> tensor<20xf64> {
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %half = arith.constant 0.5 : f64
  %r = scf.for %i = %c1 to %c20 step %c1 iter_args(%a = %x) -> tensor<20xf64> {
    %h = arith.subi %i, %c1 : index
    %e = tensor.extract %a[%h] : tensor<20xf64>
    %f = tensor.extract %a[%i] : tensor<20xf64>
    %p = arith.mulf %e, %half : f64
    %s = arith.addf %p, %f : f64
    %b = tensor.insert %s into %a[%i] : tensor<20xf64>
    scf.yield %b : tensor<20xf64>
  }
  return %r : tensor<20xf64>
}

func.func @shift_left(%x: tensor<600xi16>) -> tensor<600xi16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c599 = arith.constant 599 : index
  %r = scf.for %i = %c0 to %c599 step %c1 iter_args(%a = %x) -> tensor<600xi16> {
    %h = arith.addi %i, %c1 : index
    %e = tensor.extract %a[%h] : tensor<600xi16>
    %b = tensor.insert %e into %a[%i] : tensor<600xi16>
    scf.yield %b : tensor<600xi16>
  }
  return %r : tensor<600xi16>
}

func.func @scatter(%x: tensor<50xf32>, %at: tensor<50xi32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c50 = arith.constant 50 : index
  %r = scf.for %i = %c0 to %c50 step %c1 iter_args(%a = %y) -> tensor<4xf32> {
    %e = tensor.extract %x[%i] : tensor<50xf32>
    %j = tensor.extract %at[%i] : tensor<50xi32>
    %k = arith.index_cast %j : i32 to index
    %b = tensor.insert %e into %a[%k] : tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

func.func @gather_loop(%x: tensor<4x9xf32>, %at: tensor<700xi32>) -> tensor<700xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c700 = arith.constant 700 : index
  %e = tensor.empty() : tensor<700xf32>
  %r = scf.for %i = %c0 to %c700 step %c1 iter_args(%a = %e) -> tensor<700xf32> {
    %j = tensor.extract %at[%i] : tensor<700xi32>
    %k = arith.index_cast %j : i32 to index
    %l = arith.muli %k, %c2 : index
    %f = tensor.extract %x[%k, %l] : tensor<4x9xf32>
    %b = tensor.insert %f into %a[%i] : tensor<700xf32>
    scf.yield %b : tensor<700xf32>
  }
  return %r : tensor<700xf32>
}

func.func @odd_even_sort(%x: tensor<32xf16>) -> tensor<32xf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c31 = arith.constant 31 : index
  %c32 = arith.constant 32 : index
  %r = scf.for %p = %c0 to %c32 step %c1 iter_args(%a = %x) -> tensor<32xf16> {
    %odd = arith.remsi %p, %c2 : index
    %q = scf.for %i = %odd to %c31 step %c2 iter_args(%b = %a) -> tensor<32xf16> {
      %k = arith.addi %i, %c1 : index
      %u = tensor.extract %b[%i] : tensor<32xf16>
      %v = tensor.extract %b[%k] : tensor<32xf16>
      %gt = arith.cmpf ogt, %u, %v : f16
      %lo = arith.select %gt, %v, %u : f16
      %hi = arith.select %gt, %u, %v : f16
      %d = tensor.insert %lo into %b[%i] : tensor<32xf16>
      %e = tensor.insert %hi into %d[%k] : tensor<32xf16>
      scf.yield %e : tensor<32xf16>
    }
    scf.yield %q : tensor<32xf16>
  }
  return %r : tensor<32xf16>
}

func.func @narrow_carried(%x: tensor<30xi8>, %m: tensor<30xi1>) -> (tensor<30xi8>, tensor<i8>, tensor<i1>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c30 = arith.constant 30 : index
  %start = arith.constant 100 : i8
  %true = arith.constant true
  %r:3 = scf.for %i = %c0 to %c30 step %c1 iter_args(%a = %x, %s = %start, %all = %true) -> (tensor<30xi8>, i8, i1) {
    %e = tensor.extract %x[%i] : tensor<30xi8>
    %b = tensor.extract %m[%i] : tensor<30xi1>
    %t = arith.addi %s, %e : i8
    %u = arith.shrsi %t, %e : i8
    %n = scf.if %b -> i8 {
      scf.yield %u : i8
    } else {
      scf.yield %t : i8
    }
    %c = arith.andi %all, %b : i1
    %d = tensor.insert %n into %a[%i] : tensor<30xi8>
    scf.yield %d, %n, %c : tensor<30xi8>, i8, i1
  }
  %o = tensor.from_elements %r#1 : tensor<i8>
  %p = tensor.from_elements %r#2 : tensor<i1>
  return %r#0, %o, %p : tensor<30xi8>, tensor<i8>, tensor<i1>
}

func.func @collatz(%x: tensor<8xi64>) -> tensor<8xi64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %one = arith.constant 1 : i64
  %two = arith.constant 2 : i64
  %three = arith.constant 3 : i64
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : tensor<8xi64>
  %r = scf.for %i = %c0 to %c8 step %c1 iter_args(%a = %e) -> tensor<8xi64> {
    %v = tensor.extract %x[%i] : tensor<8xi64>
    %w = arith.addi %v, %one : i64
    %q:2 = scf.while (%n = %w, %steps = %zero) : (i64, i64) -> (i64, i64) {
      %go = arith.cmpi ne, %n, %one : i64
      scf.condition(%go) %n, %steps : i64, i64
    } do {
    ^bb0(%n: i64, %steps: i64):
      %odd = arith.andi %n, %one : i64
      %is_odd = arith.cmpi eq, %odd, %one : i64
      %next = scf.if %is_odd -> i64 {
        %t = arith.muli %n, %three : i64
        %u = arith.addi %t, %one : i64
        scf.yield %u : i64
      } else {
        %h = arith.divsi %n, %two : i64
        scf.yield %h : i64
      }
      %more = arith.addi %steps, %one : i64
      scf.yield %next, %more : i64, i64
    }
    %b = tensor.insert %q#1 into %a[%i] : tensor<8xi64>
    scf.yield %b : tensor<8xi64>
  }
  return %r : tensor<8xi64>
}

func.func @accumulators(%x: tensor<1300xf32>, %y: tensor<1300xi32>, %z: tensor<1300xi64>, %m: tensor<1300xi1>) -> (tensor<2xf32>, tensor<3xi32>, tensor<2xi64>, tensor<i1>, tensor<f64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1300 = arith.constant 1300 : index
  %low = arith.constant -1.0e30 : f32
  %zero = arith.constant 0 : i32
  %most = arith.constant 2147483647 : i32
  %ones = arith.constant -1 : i32
  %one = arith.constant 1 : i64
  %true = arith.constant true
  %d0 = arith.constant 0.0 : f64
  %r:9 = scf.for %i = %c0 to %c1300 step %c1 iter_args(%max = %low, %min = %low, %x0 = %zero, %lo = %most, %un = %zero, %p = %one, %b = %one, %all = %true, %sum = %d0) -> (f32, f32, i32, i32, i32, i64, i64, i1, f64) {
    %e = tensor.extract %x[%i] : tensor<1300xf32>
    %f = tensor.extract %y[%i] : tensor<1300xi32>
    %g = tensor.extract %z[%i] : tensor<1300xi64>
    %h = tensor.extract %m[%i] : tensor<1300xi1>
    %two = arith.constant 2 : i32
    %k = arith.subi %f, %two : i32
    %a0 = arith.maximumf %max, %e : f32
    %a1 = arith.minimumf %e, %min : f32
    %a2 = arith.xori %x0, %f : i32
    %a3 = arith.minsi %lo, %k : i32
    %a4 = arith.maxui %k, %un : i32
    %odd = arith.ori %g, %one : i64
    %a5 = arith.muli %p, %odd : i64
    %a6 = arith.addi %b, %g : i64
    %a7 = arith.andi %all, %h : i1
    %wide = arith.extf %e : f32 to f64
    %a8 = arith.addf %sum, %wide : f64
    scf.yield %a0, %a1, %a2, %a3, %a4, %a5, %a6, %a7, %a8 : f32, f32, i32, i32, i32, i64, i64, i1, f64
  }
  %o0 = tensor.from_elements %r#0, %r#1 : tensor<2xf32>
  %o1 = tensor.from_elements %r#2, %r#3, %r#4 : tensor<3xi32>
  %o2 = tensor.from_elements %r#5, %r#6 : tensor<2xi64>
  %o3 = tensor.from_elements %r#7 : tensor<i1>
  %o4 = tensor.from_elements %r#8 : tensor<f64>
  return %o0, %o1, %o2, %o3, %o4 : tensor<2xf32>, tensor<3xi32>, tensor<2xi64>, tensor<i1>, tensor<f64>
}

func.func @arithmetic_on_tensors(%x: tensor<8xf32>, %y: tensor<8xi32>) -> (tensor<8xf32>, tensor<8xi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %size = math.absf %x : tensor<8xf32>
  %start = arith.sitofp %y : tensor<8xi32> to tensor<8xf32>
  %sum = arith.addf %size, %start : tensor<8xf32>
  %grown = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %sum) -> tensor<8xf32> {
    %next = arith.mulf %a, %x : tensor<8xf32>
    scf.yield %next : tensor<8xf32>
  }
  %square = arith.muli %y, %y : tensor<8xi32>
  return %grown, %square : tensor<8xf32>, tensor<8xi32>
}

// A run-time number of vectors, the last one shorter, with a factor that all lanes share and that is computed in one.
func.func @shared_factor(%x: tensor<700xf32>, %c: tensor<1xf32>, %n: tensor<i32>) -> tensor<700xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %k = tensor.extract %n[] : tensor<i32>
  %m = arith.index_cast %k : i32 to index
  %r = scf.for %i = %c0 to %m step %c1 iter_args(%acc = %x) -> (tensor<700xf32>) {
    %v = tensor.extract %acc[%i] : tensor<700xf32>
    %s = tensor.extract %c[%c0] : tensor<1xf32>
    %e = math.exp %s : f32
    %w = arith.mulf %v, %e : f32
    %o = tensor.insert %w into %acc[%i] : tensor<700xf32>
    scf.yield %o : tensor<700xf32>
  }
  return %r : tensor<700xf32>
}
