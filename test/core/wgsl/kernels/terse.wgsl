struct P{n:u32,h:u32,d:u32,s:f32}@group(0)@binding(0)var<storage,read>q:array<f32>;@group(0)@binding(1)var<storage,read>k:array<f32>;
@group(0)@binding(2)var<storage,read>v:array<f32>;@group(0)@binding(3)var<storage,read_write>o:array<f32>;@group(0)@binding(4)var<uniform>p:P;
const T=16;var<workgroup>t:array<array<f32,T+1>,T>;
fn at(h:u32,n:u32,d:u32)->u32{return(h*p.n+n)*p.d+d;}
@compute@workgroup_size(T,T)fn main(@builtin(global_invocation_id)g:vec3u,@builtin(local_invocation_id)l:vec3u){
var m=-1e30;var s=0.;var a=0.;for(var j=0u;j<p.n;j++){t[l.y][l.x]=k[at(g.z,j,l.x)];workgroupBarrier();var z=0.;
for(var d=0u;d<p.d;d++){z+=q[at(g.z,g.y,d)]*t[l.y][d%T];}z*=p.s;let n=max(m,z);let c=exp(m-n);let e=exp(z-n);
s=s*c+e;a=a*c+e*v[at(g.z,j,g.x)];m=n;workgroupBarrier();}if(g.y<p.n&&g.x<p.d){o[at(g.z,g.y,g.x)]=a/s;}}
