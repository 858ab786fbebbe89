// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// Words by themselves, then as a program; the rules are those of runtime/abi.

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op d_op: expected NOP or MOV}}
  "tfmbs.fabric_siw"() {d_op = "FOO"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op d_op: expected a name, got 3 : i64}}
  "tfmbs.fabric_siw"() {d_op = 3 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op word: ADD: element type: expected F32/F64/I32/I64, got 10}}
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f16", d_vd = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op d_type: expected bool or i8}}
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f4", d_vd = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op SIW: field d_vd = 32, expected 0…31}}
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f32", d_vd = 32 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op d_vd: expected an integer, got "v1"}}
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f32", d_vd = "v1"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op field: expected d_op or d_type}}
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f32", d_vz = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op d_aux: expected false or oeq}}
  "tfmbs.fabric_siw"() {d_op = "CMP", d_type = "f32", d_aux = "gt"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op word: CMP: aux: expected }}
  "tfmbs.fabric_siw"() {d_op = "CMP", d_type = "i32", d_aux = "uno"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op word: NOP: unused field d_vd: expected 0, got 1}}
  "tfmbs.fabric_siw"() {d_vd = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op SIW: field s_imm = 65536, expected -65536…65535}}
  "tfmbs.fabric_siw"() {s_op = "LI", s_imm = 65536 : i64, s_reg = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op SIW: field deps = 8, expected 0…7}}
  "tfmbs.fabric_siw"() {deps = 8 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op word: left in a word that does not wait for loads: expected 0, got 2}}
  "tfmbs.fabric_siw"() {left = 2 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op SIW: c_imm overlaps c_src, c_type and c_aux with opcode 9}}
  "tfmbs.fabric_siw"() {c_op = "RECV", c_imm = 1 : i64, c_type = "f32"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op c_aux: expected bool or i8 or u8 or }}
  "tfmbs.fabric_siw"() {c_op = "CAST", c_aux = "sum", c_type = "f32"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

"tfmbs.fabric_program"() ({
  // expected-error @below {{'tfmbs.fabric_siw' op word: ADD: d_va, a pair of registers: expected an even register, got v1}}
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f64", d_va = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p word 0: SKIP: last word to skip}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {c_op = "SKIP", c_imm = 1 : i64, c_reg = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p word 0: END: expected in the last word, and only there}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f32", d_vd = 1 : i64} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p word 0: END: expected in the last word, and only there}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p word 0: LOOP: last word of the body}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {c_op = "LOOP", c_imm = 5 : i64, c_reg = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op kind: expected vector or epilogue, got scalar}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "scalar", label = "p", max_steps = 1 : i64, windows = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p: }}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 0 : i64, windows = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p word 0: RED in an epilogue: expected lane-wise operations only}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {d_op = "RED", d_type = "f32", d_aux = "sum"} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "epilogue", label = "p", max_steps = 2 : i64, windows = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op p word 1: waits: expected at least LOAD, got nothing}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {s_op = "LD", s_type = "f32", s_reg = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {d_op = "ADD", d_type = "f32", d_va = 1 : i64} : () -> ()
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "p", max_steps = 9 : i64, windows = 1 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op number of blocks: expected 1, got 0}}
"tfmbs.fabric_program"() ({}) {kind = "vector", label = "p", max_steps = 1 : i64, windows = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_program' op word: expected tfmbs.fabric_siw, got tfmbs.fabric_waits}}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_waits"() {values = array<i64>} : () -> ()
}) {kind = "vector", label = "p", max_steps = 1 : i64, windows = 0 : i64} : () -> ()

// -----

// expected-error @below {{'tfmbs.fabric_siw' op parent: expected tfmbs.fabric_program, got builtin.module}}
"tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
