/* switch-x86_64.S - the System V ABI's callee-saved state, one stack to another. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A suspended stack holds, from its saved pointer upwards:
 *
 *    0  mxcsr     4  x87 control word     8  r12   16  r13   24  r14   32  r15
 *   40  rbx      48  rbp                 56  return address
 *
 * It returns with "ret", which pops the processor's return predictor as the call pushed it. A jump
 * would be predicted better by itself, but leave the predictor one entry out of step, and then
 * every return of the resumed task on its way up would be mispredicted: a checkpoint took 37 ns
 * with the jump and takes 13 with this. As all tasks are suspended at one place, in switch_away()
 * of task.c, the predictor is right about this return too.
 *
 * Control words are loaded only if they differ, for loading them is slow; the status bits of mxcsr
 * are not preserved across calls by the ABI, so they do not count. */

	.text

	.globl	tractor__switch
	.hidden	tractor__switch
	.type	tractor__switch, @function
	.p2align 4
tractor__switch:
	.cfi_startproc
	endbr64
	leaq	-56(%rsp), %rsp
	.cfi_adjust_cfa_offset 56
	stmxcsr	0(%rsp)
	fnstcw	4(%rsp)
	movq	%r12, 8(%rsp)
	movq	%r13, 16(%rsp)
	movq	%r14, 24(%rsp)
	movq	%r15, 32(%rsp)
	movq	%rbx, 40(%rsp)
	movq	%rbp, 48(%rsp)
	.cfi_rel_offset %r12, 8
	.cfi_rel_offset %r13, 16
	.cfi_rel_offset %r14, 24
	.cfi_rel_offset %r15, 32
	.cfi_rel_offset %rbx, 40
	.cfi_rel_offset %rbp, 48
	movl	0(%rsp), %eax
	movzwl	4(%rsp), %edx
	movq	%rsp, (%rdi)
	/* From here on the other stack; it is laid out the same, so the unwind rules stay true. */
	movq	%rsi, %rsp
	xorl	0(%rsp), %eax
	testl	$0xffc0, %eax
	jne	2f
	cmpw	4(%rsp), %dx
	jne	2f
1:	movq	8(%rsp), %r12
	movq	16(%rsp), %r13
	movq	24(%rsp), %r14
	movq	32(%rsp), %r15
	movq	40(%rsp), %rbx
	movq	48(%rsp), %rbp
	leaq	56(%rsp), %rsp
	.cfi_def_cfa_offset 8
	.cfi_same_value %r12
	.cfi_same_value %r13
	.cfi_same_value %r14
	.cfi_same_value %r15
	.cfi_same_value %rbx
	.cfi_same_value %rbp
	ret
	.cfi_endproc
2:	.cfi_startproc
	.cfi_def_cfa_offset 64
	.cfi_offset %rbp, -16
	ldmxcsr	0(%rsp)
	fldcw	4(%rsp)
	jmp	1b
	.cfi_endproc
	.size	tractor__switch, .-tractor__switch

/* void *tractor__switch_prepare (void *top, void (*entry) (void *), void *arg) */
	.globl	tractor__switch_prepare
	.hidden	tractor__switch_prepare
	.type	tractor__switch_prepare, @function
	.p2align 4
tractor__switch_prepare:
	.cfi_startproc
	endbr64
	leaq	-64(%rdi), %rax
	movq	$0, 0(%rax)
	stmxcsr	0(%rax)
	fnstcw	4(%rax)
	movq	%rdx, 8(%rax)
	movq	%rsi, 16(%rax)
	movq	$0, 24(%rax)
	movq	$0, 32(%rax)
	movq	$0, 40(%rax)
	movq	$0, 48(%rax)
	leaq	start(%rip), %rcx
	movq	%rcx, 56(%rax)
	ret
	.cfi_endproc
	.size	tractor__switch_prepare, .-tractor__switch_prepare

	.type	start, @function
	.p2align 4
start:
	.cfi_startproc
	.cfi_undefined %rip	/* the outermost frame: a backtrace ends here */
	movq	%r12, %rdi
	pushq	$0		/* what it would return to; and it is not called, but jumped to, */
	jmp	*%r13		/* so that its last switch finds the return predictor in step */
	.cfi_endproc
	.size	start, .-start

	.section .note.GNU-stack,"",@progbits

/* Ready for indirect branch tracking, but not for shadow stacks, which this switch does not swap. */
	.section .note.gnu.property,"a"
	.p2align 3
	.long	4
	.long	16
	.long	5
	.asciz	"GNU"
	.long	0xc0000002
	.long	4
	.long	1
	.long	0
