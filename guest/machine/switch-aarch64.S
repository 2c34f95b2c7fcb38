/* switch-aarch64.S - the AAPCS64's callee-saved state, one stack to another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A suspended stack holds, from its saved pointer upwards:
 *
 *    0  x19 x20   16  x21 x22   32  x23 x24   48  x25 x26   64  x27 x28   80  x29 x30
 *   96  d8 d9    112  d10 d11  128  d12 d13  144  d14 d15  160  fpcr
 *
 * It returns with "ret", to keep the return predictor in step: see switch-x86_64.S. */

	.text

	.globl	tractor__switch
	.hidden	tractor__switch
	.type	tractor__switch, %function
	.p2align 4
tractor__switch:
	.cfi_startproc
	hint	34			/* bti c */
	sub	sp, sp, #176
	.cfi_adjust_cfa_offset 176
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	mrs	x9, fpcr
	str	x9, [sp, #160]
	mov	x10, sp
	str	x10, [x0]
	mov	sp, x1
	ldr	x10, [sp, #160]
	cmp	x9, x10
	b.eq	1f
	msr	fpcr, x10
1:	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #176
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	.size	tractor__switch, .-tractor__switch

/* void *tractor__switch_prepare (void *top, void (*entry) (void *), void *arg) */
	.globl	tractor__switch_prepare
	.hidden	tractor__switch_prepare
	.type	tractor__switch_prepare, %function
	.p2align 4
tractor__switch_prepare:
	.cfi_startproc
	hint	34
	sub	x0, x0, #176
	stp	x2, x1, [x0, #0]	/* x19 = arg, x20 = entry */
	stp	xzr, xzr, [x0, #16]
	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	stp	xzr, xzr, [x0, #64]
	adr	x9, start
	stp	xzr, x9, [x0, #80]
	stp	xzr, xzr, [x0, #96]
	stp	xzr, xzr, [x0, #112]
	stp	xzr, xzr, [x0, #128]
	stp	xzr, xzr, [x0, #144]
	mrs	x9, fpcr
	str	x9, [x0, #160]
	ret
	.cfi_endproc
	.size	tractor__switch_prepare, .-tractor__switch_prepare

	.type	start, %function
	.p2align 4
start:
	.cfi_startproc
	.cfi_undefined x30		/* the outermost frame: a backtrace ends here */
	mov	x0, x19
	blr	x20
	brk	#1
	.cfi_endproc
	.size	start, .-start

	.section .note.GNU-stack,"",%progbits
