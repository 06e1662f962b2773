# Protected calls: errors are exceptions of WebAssembly, so no frame of the host lies between a script
# and its entry, which would keep it from being suspended. C has no words for them.

	.globaltype	__stack_pointer, i32
	.tagtype	__cpp_exception i32

	.section	.text.engine_try,"",@
	.globl	engine_try
	.type	engine_try,@function
engine_try:
	.functype	engine_try (i32, i32, i32) -> (i32)
	.local	i32, i32
	global.get	__stack_pointer
	local.set	3
	try
	local.get	1
	local.get	2
	local.get	0
	call_indirect	(i32, i32) -> ()
	catch	__cpp_exception
	drop
	local.get	3
	global.set	__stack_pointer
	i32.const	1
	local.set	4
	end_try
	local.get	4
	end_function
