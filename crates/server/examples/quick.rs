use server::config::Config; use server::standalone::Standalone;
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main(){ let a:Vec<String>=std::env::args().collect(); server::logging::start();
 let mut c=Config::with_defaults(a[1].parse().unwrap(), a[2].clone().into()); c.tick_time=std::time::Duration::from_secs(2); c.min_session_timeout=c.tick_time*2; c.max_session_timeout=c.tick_time*20; c.max_client_cnxns=0; c.extended_types_enabled=true; c.four_letter_whitelist=server::config::FourLetterWhitelist::All; c.global_outstanding_limit=100000;
 if std::env::var("QUOTA").is_ok(){c.enforce_quota=true}
 c.super_digest=Some(server::config::Secret::new("super:xQJmxLMiHGwaqBvst5y6rkB6HQs="));
 c.container_sweep.check_interval=std::time::Duration::from_secs(100000);
 match Standalone::start(c){Ok(s)=>{println!("{:?}",s.address); s.run().unwrap()},Err(e)=>{eprintln!("{e}"); std::process::exit(e.exit_code() as i32)}} }
