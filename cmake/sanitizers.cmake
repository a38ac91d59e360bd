# STONECHAT_SANITIZE: address (with undefined behaviour), thread, or fuzzer (clang's libFuzzer with address).
if(STONECHAT_SANITIZE STREQUAL "address")
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
elseif(STONECHAT_SANITIZE STREQUAL "thread")
	add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
	add_link_options(-fsanitize=thread)
elseif(STONECHAT_SANITIZE STREQUAL "fuzzer")
	add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
		-fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
elseif(STONECHAT_SANITIZE)
	message(FATAL_ERROR "STONECHAT_SANITIZE is address, thread, fuzzer or empty, not ${STONECHAT_SANITIZE}")
endif()
